"""
Guests in files: saved ones, which can go on, and dumps of their memory, which cannot.

A file of a saved guest begins with L{MAGIC}; a number of four bytes, lowest first, tells how long the definition
behind it is.
"""

from __future__ import annotations

import os
import struct

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, formatDomain
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test.blockjob import checkNoBlockJobs
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.keys import checkKeys
from pyvirt.drivers.test.lifecycle import DomainLifecycle
from pyvirt.drivers.test.refusals import (
    IMPACT,
    checkFlags,
    invalidArgument,
    operationInvalid,
    unsupportedArgument,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["MAGIC", "DomainLifecycleAndFiles"]

MAGIC = b"TestGuestMagic\0"
_LENGTH = struct.Struct("=i")
_LONGEST = 8192

_SAVE_FLAGS = c.VIR_DOMAIN_SAVE_BYPASS_CACHE | c.VIR_DOMAIN_SAVE_RUNNING | c.VIR_DOMAIN_SAVE_PAUSED


_LIFECYCLES = (("poweroff", "onPoweroff"), ("reboot", "onReboot"), ("crash", "onCrash"))
_ACTIONS = (
    "destroy",
    "restart",
    "rename-restart",
    "preserve",
    "coredump-destroy",
    "coredump-restart",
)


def systemError(detail: str, number: int) -> VirtError:
    """Make the error of a call to the system that failed with C{number}."""
    text = os.strerror(number)
    return virtError(ErrorCode.SYSTEM_ERROR, f"{detail}: {text}", ErrorDomain.TEST, int1=number)


def _read(path: str) -> str:
    """
    Read the definition in the file of a saved guest.

    @raise VirtError: it cannot be read, or is no such file.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(len(MAGIC))
            if len(head) != len(MAGIC):
                raise systemError(f"incomplete save header in '{path}'", 0)
            if head != MAGIC:
                raise virtError(
                    ErrorCode.INTERNAL_ERROR, "mismatched header magic", ErrorDomain.TEST
                )
            size = file.read(_LENGTH.size)
            if len(size) != _LENGTH.size:
                raise systemError(f"failed to read metadata length in '{path}'", 0)
            (length,) = _LENGTH.unpack(size)
            if length < 1 or length > _LONGEST:
                raise virtError(
                    ErrorCode.INTERNAL_ERROR, "length of metadata out of range", ErrorDomain.TEST
                )
            text = file.read(length)
            if len(text) != length:
                raise systemError(f"incomplete metadata in '{path}'", 0)
    except IsADirectoryError as failure:
        raise systemError(f"incomplete save header in '{path}'", failure.errno or 0) from None
    except OSError as failure:
        raise systemError(f"cannot read domain image '{path}'", failure.errno or 0) from None
    return text.decode("utf-8", "replace").split("\0", 1)[0]


def _write(path: str, name: str, text: str) -> None:
    """
    Write the file of a saved guest, replacing what is there.

    @raise VirtError: it cannot be written.
    """
    data = text.encode("utf-8")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    except OSError as failure:
        raise systemError(
            f"saving domain '{name}' to '{path}': open failed", failure.errno or 0
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(MAGIC + _LENGTH.pack(len(data)) + data)
    except OSError as failure:
        raise systemError(
            f"saving domain '{name}' to '{path}': write failed", failure.errno or 0
        ) from None


class DomainLifecycleAndFiles(DomainLifecycle):
    """The life of domains, through files too."""

    def domainSaveFlags(self, dom: DomainRef, to: str, dxml: str | None, flags: int) -> None:
        """Write a running guest to a file, and stop it."""
        checkFlags("testDomainSaveFlags", flags)
        if dxml is not None:
            raise unsupportedArgument("xml modification unsupported")
        domain = self._find(dom)
        domain.checkActive()
        checkNoBlockJobs(domain)
        _write(to, domain.name, formatDomain(domain.definition, id=domain.id, secure=True))
        self.ended(domain, c.VIR_DOMAIN_SHUTOFF_SAVED, c.VIR_DOMAIN_EVENT_STOPPED_SAVED)

    def _definition(self, path: str) -> DomainDefinition:
        return self._world.parse(_read(path), checked=False)

    def domainRestoreFlags(self, from_: str, dxml: str | None, flags: int) -> None:
        """Let a guest go on that was written to a file."""
        checkFlags("testDomainRestoreFlags", flags)
        if dxml is not None:
            raise unsupportedArgument("xml modification unsupported")
        world = self._world
        domain, _ = world.domains.add(self._definition(from_), live=True, mustBeInactive=True)
        world.start(domain, c.VIR_DOMAIN_RUNNING_RESTORED)
        world.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_RESTORED)

    def domainSaveImageGetXMLDesc(self, file: str, flags: int) -> str:
        """Write the definition in a file."""
        checkFlags("testDomainSaveImageGetXMLDesc", flags, c.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE)
        return formatDomain(self._definition(file), secure=True)

    def domainSaveImageDefineXML(self, file: str, dxml: str, flags: int) -> None:
        """Replace the definition in a file."""
        checkFlags(
            "testDomainSaveImageDefineXML",
            flags,
            c.VIR_DOMAIN_SAVE_RUNNING | c.VIR_DOMAIN_SAVE_PAUSED,
        )
        self._definition(file)
        definition = self._world.parse(dxml)
        _write(file, definition.name, formatDomain(definition, secure=True))

    def domainManagedSave(self, dom: DomainRef, flags: int) -> None:
        """Stop a running guest so that it goes on when it is started again."""
        checkFlags("testDomainManagedSave", flags, _SAVE_FLAGS)
        domain = self._find(dom)
        domain.checkActive()
        if not domain.persistent:
            raise operationInvalid("cannot do managed save for transient domain")
        domain.managedSave = True
        self.ended(domain, c.VIR_DOMAIN_SHUTOFF_SAVED, c.VIR_DOMAIN_EVENT_STOPPED_SAVED)

    def domainHasManagedSaveImage(self, dom: DomainRef, flags: int) -> bool:
        """Whether it goes on when it is started."""
        checkFlags("testDomainHasManagedSaveImage", flags)
        return self._find(dom).managedSave

    def domainManagedSaveRemove(self, dom: DomainRef, flags: int) -> None:
        """Let it begin anew when it is started."""
        checkFlags("testDomainManagedSaveRemove", flags)
        self._find(dom).managedSave = False

    def domainCoreDumpWithFormat(
        self, dom: DomainRef, to: str, dumpformat: int, flags: int
    ) -> None:
        """Write a dump of a running guest, of which there is no more than that it is one."""
        checkFlags("testDomainCoreDumpWithFormat", flags, c.VIR_DUMP_CRASH)
        domain = self._find(dom)
        domain.checkActive()
        prefix = f"domain '{domain.name}' coredump:"
        try:
            descriptor = os.open(to, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        except OSError as failure:
            raise systemError(f"{prefix} failed to open {to}", failure.errno or 0) from None
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(MAGIC)
        except OSError as failure:
            raise systemError(
                f"{prefix} failed to write header to {to}", failure.errno or 0
            ) from None
        if dumpformat != c.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW:
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "kdump-compressed format is not supported here",
                ErrorDomain.TEST,
            )
        if flags & c.VIR_DUMP_CRASH:
            self._crashed(domain)

    def _crashed(self, domain: Domain) -> None:
        self.ended(domain, c.VIR_DOMAIN_SHUTOFF_CRASHED, c.VIR_DOMAIN_EVENT_STOPPED_CRASHED)

    def domainInjectNMI(self, dom: DomainRef, flags: int) -> None:
        """Interrupt a running guest, which does not mind."""
        checkFlags("testDomainInjectNMI", flags)
        self._find(dom).checkActive()

    def domainSendKey(
        self, dom: DomainRef, codeset: int, holdtime: int, keycodes: list[int], flags: int
    ) -> None:
        """Press keys of a running guest; they must be keys."""
        checkFlags("testDomainSendKey", flags)
        self._find(dom).checkActive()
        checkKeys(codeset, keycodes)

    def domainSendProcessSignal(
        self, dom: DomainRef, pidValue: int, signum: int, flags: int
    ) -> None:
        """Send a signal to the first process of a guest, which does not mind."""
        checkFlags("testDomainSendProcessSignal", flags)
        if pidValue != 1:
            raise invalidArgument("only sending a signal to pid 1 is supported")
        if signum > c.VIR_DOMAIN_PROCESS_SIGNAL_RT32:
            raise invalidArgument(f"signum value {signum} is out of range")
        self._find(dom)

    def domainGetMessages(self, dom: DomainRef, flags: int) -> list[str]:
        """No guest gives reason to complain."""
        checkFlags(
            "testDomainGetMessages",
            flags,
            c.VIR_DOMAIN_MESSAGE_DEPRECATION | c.VIR_DOMAIN_MESSAGE_TAINTING,
        )
        self._find(dom)
        return []

    def domainSetLifecycleAction(self, dom: DomainRef, type: int, action: int, flags: int) -> None:
        """Say what happens when a guest ends."""
        checkFlags("testDomainSetLifecycleAction", flags, IMPACT)
        if not 0 <= type < len(_LIFECYCLES):
            raise invalidArgument(f"invalid lifecycle type '{type}'", ErrorDomain.DOMAIN)
        if not 0 <= action < len(_ACTIONS):
            raise invalidArgument(f"invalid lifecycle action '{action}'", ErrorDomain.DOMAIN)
        what, field = _LIFECYCLES[type]
        word = _ACTIONS[action]
        if word.startswith("coredump") and what != "crash":
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"Lifecycle event '{what}' doesn't support '{word}' action",
                ErrorDomain.DOMAIN,
            )
        self._find(dom).change(flags, lambda definition: replaced(definition, **{field: word}))
