"""
Labels, keys and sealed guests; and what the firmware tells the guest about its machine.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    SWITCH,
    choice,
    custom,
    escape,
    integer,
    internal,
    missingAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    plainWriter,
    replaced,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["PM", "IdMap", "KeyWrap", "LaunchSecurity", "Perf", "Seclabel", "SysInfo"]


@definition
class Seclabel:
    """
    The security label of the guest's process.

    @ivar implied: nobody asked for it; never written.
    """

    xmlReadOrder: ClassVar[str] = "type relabel"

    implied: bool = False

    type: str | None = attribute(choice("none dynamic static"))
    model: str | None = attribute()
    relabel: bool | None = attribute(BOOLEAN)
    label: str | None = element()
    imagelabel: str | None = element()
    baselabel: str | None = element()

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write a label, unless nothing was said of it but a model."""
        if value.type is not None:
            plainWriter(Seclabel)(value, out, indent, tag, context)

    def settle(self, node: Node, context: Context) -> Seclabel:
        """Say what the type implies; of each model there is one label."""
        for other in node.itersiblings("seclabel", preceding=True):
            if other.get("model") == self.model:
                raise virtError(
                    ErrorCode.XML_DETAIL,
                    f"seclabel for model {self.model or '(null)'} is already provided",
                    ErrorDomain.DOMAIN,
                )
        kind = self.type
        relabel = self.relabel
        if kind is None:
            return Seclabel(model=self.model)
        if kind == "none":
            if relabel:
                raise unsupported("resource relabeling is not compatible with 'none' label type")(
                    "", node, ""
                )
            relabel = None
        elif kind == "dynamic":
            if relabel is False:
                raise unsupported("dynamic label type must use resource relabeling")("", node, "")
            relabel = True
        else:
            relabel = bool(relabel)
        if self.model == "none" and kind == "dynamic":
            return Seclabel(type="none", model="none")
        label, image, base = self.label, self.imagelabel, self.baselabel
        if kind == "static" or (kind == "dynamic" and not context.inactive):
            if not label:
                raise xmlError("security label is missing")
        else:
            label = None
        if not (relabel and not context.inactive):
            image = None
        if kind != "dynamic":
            base = None
        return Seclabel(
            type=kind,
            model=self.model,
            relabel=relabel,
            label=label,
            imagelabel=image,
            baselabel=base,
        )


@definition
class KeyCipher:
    """Whether keys of a cipher are wrapped."""

    name: str | None = attribute(choice("aes dea"), required=True)
    state: bool | None = attribute(SWITCH, required=True)


@definition
class KeyWrap:
    """Key wrapping on s390."""

    xmlOmitEmpty: ClassVar[bool] = True

    ciphers: tuple[KeyCipher, ...] = elements(KeyCipher, "cipher")

    def settle(self, node: Node, context: Context) -> KeyWrap:
        """A cipher is named once."""
        seen: dict[str, KeyCipher] = {}
        for cipher in self.ciphers:
            if cipher.name in seen:
                raise internal(
                    "A domain definition can have no more than one cipher node with name "
                    f"{cipher.name}"
                )("", node, "")
            seen[cipher.name or ""] = cipher
        return replaced(self, ciphers=tuple(seen[name] for name in ("aes", "dea") if name in seen))


@definition
class LaunchSecurity:
    """Protection of the guest from its host."""

    xmlReadOrder: ClassVar[str] = "type"

    type: str | None = attribute(choice("sev s390-pv"), required=True)
    kernelHashes: bool | None = attribute(BOOLEAN)
    cbitpos: int | None = element(
        integer(error=custom("Invalid format for launch security cbitpos"))
    )
    reducedPhysBits: int | None = element(
        integer(error=custom("Invalid format for launch security reduced-phys-bits"))
    )
    policy: int | None = element(
        integer(base=16, form="#06x", error=custom("failed to get launch security policy"))
    )
    dhCert: str | None = element()
    session: str | None = element()

    def settle(self, node: Node, context: Context) -> LaunchSecurity:
        """Only SEV has more than a type, and it needs a policy."""
        if self.type == "s390-pv":
            return LaunchSecurity(type=self.type)
        if self.policy is None:
            raise xmlError("failed to get launch security policy")
        return self


_ID = integer(error=custom("invalid idmap start/target/count settings"))


@definition
class IdRange:
    """A range of ids of a container and where it lies on the host."""

    start: int | None = attribute(_ID)
    target: int | None = attribute(_ID)
    count: int | None = attribute(_ID)

    def settle(self, node: Node, context: Context) -> IdRange:
        """All three numbers are needed."""
        if None in (self.start, self.target, self.count):
            raise xmlError("invalid idmap start/target/count settings")
        return self


@definition
class IdMap:
    """How the users of a container are those of the host."""

    xmlOmitEmpty: ClassVar[bool] = True

    uids: tuple[IdRange, ...] = elements(IdRange, "uid")
    gids: tuple[IdRange, ...] = elements(IdRange, "gid")

    def settle(self, node: Node, context: Context) -> IdMap:
        """Ranges are in order."""
        uids = tuple(sorted(self.uids, key=lambda entry: entry.start or 0))
        gids = tuple(sorted(self.gids, key=lambda entry: entry.start or 0))
        return IdMap(uids=uids, gids=gids)

    def check(self) -> None:
        """
        Check that both kinds are there, and root among them.

        @raise VirtError: CONFIG_UNSUPPORTED.
        """
        if bool(self.uids) != bool(self.gids):
            raise unsupported("uid and gid should be mapped both")("", None, "")
        if (self.uids and self.uids[0].start) or (self.gids and self.gids[0].start):
            raise unsupported("You must map the root user of container")("", None, "")


@definition
class PM:
    """Which sleep states the firmware offers."""

    xmlOmitEmpty: ClassVar[bool] = True

    suspendToMem: bool | None = elementAttribute("suspend-to-mem", "enabled", BOOLEAN)
    suspendToDisk: bool | None = elementAttribute("suspend-to-disk", "enabled", BOOLEAN)


EVENTS = (
    "cmt mbmt mbml cpu_cycles instructions cache_references cache_misses branch_instructions "
    "branch_misses bus_cycles stalled_cycles_frontend stalled_cycles_backend ref_cpu_cycles "
    "cpu_clock task_clock page_faults context_switches cpu_migrations page_faults_min "
    "page_faults_maj alignment_faults emulation_faults"
)


@definition
class PerfEvent:
    """Whether an event is counted."""

    name: str = attribute(choice(EVENTS), required=True)
    enabled: bool = attribute(BOOLEAN, required=True)


@definition
class Perf:
    """Events that are counted."""

    xmlOmitEmpty: ClassVar[bool] = True

    events: tuple[PerfEvent, ...] = elements(PerfEvent, "event")

    def settle(self, node: Node, context: Context) -> Perf:
        """Events are in libvirt's order, each once."""
        found: dict[str, PerfEvent] = {}
        for event in self.events:
            if event.name in found:
                raise xmlError(f"perf event '{event.name}' was already specified")
            found[event.name] = event
        return Perf(events=tuple(found[name] for name in EVENTS.split() if name in found))


@definition
class SysInfo:
    """
    What the firmware tells about the machine.

    @ivar groups: C{(group, ((name, value) ...))} in libvirt's order; C{oemStrings} have no names.
    @ivar entries: of C{fwcfg}: C{(name, value, file)}.
    """

    type: str = "smbios"
    groups: tuple[tuple[str, tuple[tuple[str | None, str], ...]], ...] = ()
    entries: tuple[tuple[str, str | None, str | None], ...] = ()

    @classmethod
    def readElement(cls, node: Node, context: Context) -> SysInfo:
        """Read what the type has."""
        kind = node.get("type")
        if kind is None:
            raise missingAttribute(node, "type")
        kind = choice("smbios fwcfg").read(kind, node, "type")
        if kind == "fwcfg":
            entries = []
            for child in node:
                if child.tag != "entry":
                    continue
                name, file = child.get("name"), child.get("file")
                value = xmlText(child) or None
                if name is None:
                    raise xmlError("Firmware entry is missing 'name' attribute")
                if value is None and file is None:
                    raise xmlError("Firmware entry must have either value or 'file' attribute")
                entries.append((name, value, file))
            return cls(type=kind, entries=tuple(entries))
        groups: list[Any] = []
        for group, names in SMBIOS.items():
            for child in node:
                if child.tag != group:
                    continue
                if group == "oemStrings":
                    strings = tuple((None, xmlText(e)) for e in child if e.tag == "entry")
                    groups.append((group, strings))
                    break
                found: dict[str, str] = {}
                for entry in child:
                    if entry.tag == "entry" and entry.get("name") in names:
                        value = xmlText(entry)
                        if value:
                            found.setdefault(entry.get("name"), value)
                _checkGroup(group, found)
                if found:
                    groups.append((group, tuple((n, found[n]) for n in names if n in found)))
                if group != "baseBoard":
                    break
        return cls(type=kind, groups=tuple(groups))

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        body: list[str] = []
        inner = indent + "  "
        for group, pairs in value.groups:
            body.append(f"{inner}<{group}>\n")
            for name, word in pairs:
                named = "" if name is None else f" name='{name}'"
                body.append(f"{inner}  <entry{named}>{escape(word)}</entry>\n")
            body.append(f"{inner}</{group}>\n")
        for name, word, file in value.entries:
            head = f"{inner}<entry name='{escape(name)}'"
            if file is not None:
                head += f" file='{escape(file)}'"
            bare = not word or file is not None
            body.append(f"{head}/>\n" if bare else f"{head}>{escape(word or '')}</entry>\n")
        if body:
            out.append(f"{indent}<{tag} type='{value.type}'>\n")
            out += body
            out.append(f"{indent}</{tag}>\n")
        else:
            out.append(f"{indent}<{tag} type='{value.type}'/>\n")


SMBIOS = {
    "bios": ("vendor", "version", "date", "release"),
    "system": ("manufacturer", "product", "version", "serial", "uuid", "sku", "family"),
    "baseBoard": ("manufacturer", "product", "version", "serial", "asset", "location"),
    "chassis": ("manufacturer", "version", "serial", "asset", "sku"),
    "oemStrings": (),
}


def _checkGroup(group: str, found: dict[str, str]) -> None:
    """Check the entries that have a form."""
    if group == "bios" and "date" in found:
        import re

        match = re.match(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})\Z", found["date"])
        if (
            not match
            or not 1 <= int(match[1]) <= 12
            or not 1 <= int(match[2]) <= 31
            or (len(match[3]) == 4 and not int(match[3]) >= 1900)
        ):
            raise virtError(ErrorCode.XML_DETAIL, "Invalid BIOS 'date' format", ErrorDomain.DOMAIN)
    if group == "system" and "uuid" in found:
        from pyvirt.definitions.uuids import formatUUID, parseUUID

        raw = parseUUID(found["uuid"])
        if raw is None:
            raise virtError(
                ErrorCode.XML_DETAIL, "malformed <sysinfo> uuid element", ErrorDomain.DOMAIN
            )
        found["uuid"] = formatUUID(raw)
