"""
Making the files of volumes: plain ones by ourselves, others by C{qemu-img}.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import VOLUME_FORMATS, VolumeDefinition
from pyvirt.definitions.uuids import parseUUID
from pyvirt.drivers.host.running import commandFailed, found, run
from pyvirt.drivers.host.storage.pool import Volume
from pyvirt.drivers.interfaces.inside import ISecretValues
from pyvirt.drivers.refusals import invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["fill", "imageTool", "make", "resize"]

_DOMAIN = ErrorDomain.STORAGE
_METADATA = c.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA
_REFLINK = c.VIR_STORAGE_VOL_CREATE_REFLINK
_FICLONE = 0x40049409
_BLOCK = 1 << 20


def _unsupported(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


def imageTool() -> str:
    """Return where C{qemu-img} is."""
    return found("/usr/bin/qemu-img")


def _format(definition: VolumeDefinition) -> str:
    """Return what image a volume is: partitions have formats too, which are none of images."""
    format = definition.target.format
    return format if format in VOLUME_FORMATS.split() else "raw"


async def make(host: Host, volume: Volume, flags: int, source: Volume | None) -> None:
    """
    Make the file of a volume.

    @param flags: C{VIR_STORAGE_VOL_CREATE_*}.
    @param source: what it is a copy of.
    @raise VirtError: it cannot be made; what there is of it is for the caller to remove.
    """
    definition = volume.definition
    format = definition.target.format or "raw"
    plain = definition.target.encryption is None
    if source is not None:
        origin = source.definition.target
        both = (format, _format(source.definition))
        if both == ("raw", "raw") and plain and origin.encryption is None:
            await host.thread(_makePlain, definition, source.path, bool(flags & _REFLINK))
            return
        await _image(host, definition, flags, source)
    elif format == "dir":
        if flags & _METADATA:
            raise _unsupported("metadata preallocation is not supported for directory volumes")
        await host.thread(_makeFolder, definition)
    elif format == "raw" and plain:
        if flags & _METADATA:
            raise _unsupported("metadata preallocation is not supported for raw volumes")
        if definition.backingStore is not None:
            raise virtError(
                ErrorCode.NO_SUPPORT, "backing storage not supported for raw volumes", _DOMAIN
            )
        await host.thread(_makePlain, definition, None, False)
    else:
        await _image(host, definition, flags, None)


async def fill(host: Host, definition: VolumeDefinition, flags: int, source: Volume | None) -> None:
    """
    Put into a device that was made for a volume what it is to have: a header of LUKS, a copy of another volume.

    @param source: what it is a copy of.
    @raise VirtError: it cannot be done.
    """
    if definition.target.encryption is None:
        if source is None:
            return
        origin = source.definition.target
        if _format(source.definition) == "raw" and origin.encryption is None:
            await host.thread(_copyInto, source.path, definition)
            return
    await _image(host, replaced(definition, backingStore=None), flags & ~_REFLINK, source)


# Plain files, in threads


def _rights(definition: VolumeDefinition, mode: int) -> None:
    """Give a file the rights that its definition says."""
    path, wanted = definition.target.path, definition.target.permissions
    assert path is not None
    owner = -1 if wanted is None or wanted.owner is None else wanted.owner
    group = -1 if wanted is None or wanted.group is None else wanted.group
    if wanted is not None and wanted.mode is not None:
        mode = wanted.mode
    try:
        if owner != -1 or group != -1:
            os.chown(path, owner, group, follow_symlinks=False)
        os.chmod(path, mode)
    except OSError as problem:
        raise systemError(problem, f"cannot set mode of '{path}' to {mode:04o}", _DOMAIN) from None


def _makeFolder(definition: VolumeDefinition) -> None:
    path = definition.target.path or ""
    try:
        os.mkdir(path, 0o700)
    except OSError as problem:
        raise systemError(problem, f"failed to create directory '{path}'", _DOMAIN) from None
    _rights(definition, 0o600)


def _makePlain(definition: VolumeDefinition, source: str | None, reflink: bool) -> None:
    path = definition.target.path or ""
    capacity, allocation = definition.capacity or 0, definition.allocation or 0
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise systemError(problem, f"Failed to create file '{path}'", _DOMAIN) from None
    try:
        if definition.target.nocow:
            detail = f"unable to control COW flag on '{path}', not btrfs"
            raise systemError(OSError(errno.ENOSYS, ""), detail, ErrorDomain.NONE)
        _step(lambda: os.ftruncate(fd, capacity), f"cannot extend file '{path}'")
        if allocation and not reflink:
            detail = f"cannot allocate {allocation} bytes in file '{path}'"
            # What is more than the capacity makes the file longer, as with libvirtd.
            _step(lambda: os.posix_fallocate(fd, 0, allocation), detail)
        if source is not None:
            _step(
                lambda: _copy(source, fd, capacity, allocation < capacity, reflink),
                f"failed to clone files from '{source}'"
                if reflink
                else f"failed to copy to '{path}'",
            )
        _step(lambda: os.fsync(fd), f"cannot sync data to file '{path}'")
    finally:
        os.close(fd)
    _rights(definition, 0o600)


def _step(work: Any, detail: str) -> None:
    try:
        work()
    except OSError as problem:
        raise systemError(problem, detail, _DOMAIN) from None


def _copy(source: str, fd: int, most: int, sparse: bool, reflink: bool) -> None:
    """Copy what is in a file to another, zeros as holes where that is wanted."""
    came = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if reflink:
            import fcntl

            fcntl.ioctl(fd, _FICLONE, came)
            if os.fstat(fd).st_size < most:
                os.ftruncate(fd, most)
            return
        at, zeros = 0, bytes(_BLOCK)
        while at < most:
            if sparse:
                try:
                    at = os.lseek(came, at, os.SEEK_DATA)
                except OSError as problem:
                    if problem.errno == errno.ENXIO:
                        return
            data = os.pread(came, min(_BLOCK, most - at), at)
            if not data:
                return
            if not sparse or data != zeros[: len(data)]:
                done = 0
                while done < len(data):
                    done += os.pwrite(fd, data[done:], at + done)
            at += len(data)
    finally:
        os.close(came)


def _copyInto(source: str, definition: VolumeDefinition) -> None:
    path = definition.target.path or ""
    detail = f"failed to copy to '{path}'"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as problem:
        raise systemError(problem, f"cannot open volume '{path}'", _DOMAIN) from None
    try:
        _step(lambda: _copy(source, fd, definition.capacity or 0, False, False), detail)
        _step(lambda: os.fsync(fd), f"cannot sync data to file '{path}'")
    finally:
        os.close(fd)


# Images


@asynccontextmanager
async def _secret(
    host: Host, definition: VolumeDefinition, name: str
) -> AsyncIterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Give C{qemu-img} the secret of a volume: options, and descriptors that it needs."""
    encryption = definition.target.encryption
    if encryption is None:
        yield (), ()
        return
    if len(encryption.secrets) != 1 or encryption.secrets[0].type != "passphrase":
        raise invalidArgument(
            "A single <secret type='passphrase'...> element is expected in encryption description",
            _DOMAIN,
        )
    secret = encryption.secrets[0]
    values: Any = host.component(ISecretValues)
    usage = c.VIR_SECRET_USAGE_TYPE_VOLUME
    uuid = None if secret.uuid is None else parseUUID(secret.uuid)
    value = values.secretValue(uuid, usage, secret.usage or "")
    fd = os.memfd_create("secret", os.MFD_CLOEXEC)
    try:
        os.write(fd, value)
        os.lseek(fd, 0, os.SEEK_SET)
        yield ("--object", f"secret,id={name},file=/dev/fd/{fd}"), (fd,)
    finally:
        os.close(fd)


def _secretName(definition: VolumeDefinition) -> str:
    kept = "".join(each if each.isascii() and each.isalnum() else "_" for each in definition.name)
    return f"s{kept}_encrypt0"


def _escaped(value: str) -> str:
    return value.replace(",", ",,")


def _options(definition: VolumeDefinition, format: str, flags: int, secret: str) -> list[str]:
    """Return what an image is made with, as C{qemu-img -o} takes it."""
    target, backing = definition.target, definition.backingStore
    found = []
    if backing is not None:
        found.append(f"backing_fmt={backing.format or 'raw'}")
    if target.encryption is not None:
        prefix = "" if format == "luks" else "encrypt."
        if prefix:
            found.append(
                f"encrypt.format={'luks' if target.encryption.format == 'luks' else 'aes'}"
            )
        found.append(f"{prefix}key-secret={secret}")
        cipher, ivgen = target.encryption.cipher, target.encryption.ivgen
        if cipher is not None:
            name = f"{cipher.name}-{cipher.size}"
            found.append(f"{prefix}cipher-alg={name}")
            if cipher.mode is not None:
                found.append(f"{prefix}cipher-mode={cipher.mode}")
            if cipher.hash is not None:
                found.append(f"{prefix}hash-alg={cipher.hash}")
        if ivgen is not None:
            found.append(f"{prefix}ivgen-alg={ivgen.name}")
            if ivgen.hash is not None:
                found.append(f"{prefix}ivgen-hash-alg={ivgen.hash}")
    if flags & _METADATA:
        whole = definition.capacity == definition.allocation
        found.append(f"preallocation={'falloc' if whole else 'metadata'}")
    if format == "qcow2":
        found.append(f"compat={target.compat or '0.10'}")
    if target.clusterSize:
        found.append(f"cluster_size={target.clusterSize}")
    if format == "qcow2" and target.features is not None:
        if target.features.lazyRefcounts:
            if target.compat == "0.10":
                raise _unsupported(
                    f"lazy_refcounts not supported with compat level {target.compat}"
                )
            found.append("lazy_refcounts")
        if target.features.extendedL2:
            if target.compat == "0.10":
                raise _unsupported(f"'extended_l2' not supported with compat level {target.compat}")
            found.append("extended_l2=on")
    return found


def _checkImage(definition: VolumeDefinition, flags: int, pool: str) -> str:
    """
    Refuse images that cannot be made.

    @return: the format as C{qemu-img} calls it.
    """
    target, backing = definition.target, definition.backingStore
    format = _format(definition)
    if flags & _METADATA and format not in ("qcow2",):
        raise _unsupported("metadata preallocation only available with qcow2")
    if target.compat is not None and format != "qcow2":
        raise _unsupported("compatibility option only available with qcow2")
    encryption = target.encryption
    if encryption is not None:
        if format not in ("raw", "qcow", "qcow2"):
            raise _unsupported(f"volume encryption unsupported with format {format}")
        if encryption.format not in ("luks", "qcow", "default", None):
            raise _unsupported(f"unsupported volume encryption format {encryption.format}")
        if format == "raw":
            if encryption.format != "luks":
                raise _unsupported("only luks encryption is supported for raw files")
            format = "luks"
    if backing is not None:
        if flags & _METADATA:
            raise _unsupported("metadata preallocation conflicts with backing store")
        path = backing.path or ""
        if ":" not in path.partition("/")[0]:
            where = os.path.join(pool, path)
            if not os.access(where, os.R_OK):
                raise systemError(
                    OSError(errno.ENOENT, ""), f"inaccessible backing store volume {path}", _DOMAIN
                )
    return "raw" if format == "iso" else format


async def _image(
    host: Host, definition: VolumeDefinition, flags: int, source: Volume | None
) -> None:
    path = definition.target.path or ""
    format = _checkImage(definition, flags, os.path.dirname(path))
    name = _secretName(definition)
    options = _options(definition, format, flags, name)
    tool, backing = imageTool(), definition.backingStore
    capacity = definition.capacity or 0
    async with AsyncExitStack() as stack:
        words, fds = await stack.enter_async_context(_secret(host, definition, name))
        more = ("-o", ",".join(options)) if options else ()
        if source is None:
            below = () if backing is None else ("-b", backing.path or "")
            size = f"{-(-capacity // 1024)}K"
            argv = (tool, "create", "-f", format, *words, *below, *more, path, size)
        elif source.definition.target.encryption is not None or words:
            inner, given = await stack.enter_async_context(
                _secret(host, source.definition, f"{name}_source")
            )
            fds += given
            kind = _format(source.definition)
            image = f"driver={kind},file.filename={_escaped(source.path)}"
            if given:
                if kind == "raw":
                    image = f"driver=luks,file.filename={_escaped(source.path)},key-secret={name}_source"
                else:
                    image += f",encrypt.key-secret={name}_source"
            argv = (
                tool,
                "convert",
                *inner,
                *words,
                "--image-opts",
                "-O",
                format,
                *more,
                image,
                path,
            )
        else:
            kind = _format(source.definition)
            argv = (tool, "convert", "-f", kind, "-O", format, *more, source.path, path)
        await _encrypting(host, argv, fds)
    await host.thread(_rights, definition, 0o600)


async def _encrypting(host: Host, argv: tuple[str, ...], fds: tuple[int, ...]) -> None:
    """
    Run C{qemu-img}, again if it could not measure how fast it derives keys, as happens on a busy machine.
    """
    for attempt in range(10):
        for fd in fds:
            os.lseek(fd, 0, os.SEEK_SET)
        finished = await run(host, *argv, failing=False, descriptors=fds, umask=0o077)
        if finished.status == 0:
            return
        if attempt == 9 or b"accurate CPU usage" not in finished.errors:
            raise commandFailed(argv, finished)


async def resize(host: Host, volume: Volume, capacity: int, allocate: bool, shrink: bool) -> None:
    """
    Change how large a volume is.

    @raise VirtError: it cannot be.
    """
    definition = volume.definition
    target, path = definition.target, volume.path
    plain = target.encryption is None
    if target.format == "raw" and plain:
        await host.thread(_resizePlain, path, capacity, definition.allocation or 0, allocate)
        return
    if allocate:
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "preallocate is only supported for raw type volume",
            _DOMAIN,
        )
    tool = imageTool()
    more = ("--shrink",) if shrink and capacity < (definition.capacity or 0) else ()
    if target.encryption is not None and target.encryption.format == "luks":
        name = _secretName(definition)
        async with _secret(host, definition, name) as (words, fds):
            key = "key-secret" if target.format == "raw" else "encrypt.key-secret"
            driver = "luks" if target.format == "raw" else target.format
            image = f"driver={driver},{key}={name},file.filename={_escaped(path)}"
            argv = (tool, "resize", *more, *words, "--image-opts", image, str(capacity))
            await run(host, *argv, descriptors=fds)
        return
    if target.encryption is not None:
        raise _unsupported("storage volume can't be resized")
    await run(host, tool, "resize", *more, path, str(capacity))


def _resizePlain(path: str, capacity: int, allocation: int, allocate: bool) -> None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as problem:
        raise systemError(problem, f"Unable to open '{path}'", _DOMAIN) from None
    try:
        if allocate and (capacity > allocation or not capacity):
            # To take no bytes from the beginning on is refused by the system, as with libvirtd.
            detail = f"Failed to pre-allocate space for file '{path}'"
            _step(lambda: os.posix_fallocate(fd, allocation, capacity - allocation), detail)
        detail = f"Failed to truncate file '{path}'"
        _step(lambda: os.ftruncate(fd, capacity), detail)
        _step(lambda: os.fsync(fd), f"Unable to save '{path}'")
    finally:
        os.close(fd)
