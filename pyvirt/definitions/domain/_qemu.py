"""
What only the QEMU driver reads: arguments, environment, capabilities and properties of devices as QEMU knows them.

These elements have a namespace of their own, which is named on the root where there are any.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import escape, xmlError
from pyvirt.definitions.reader import Node
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["QEMU_NAMESPACE", "QEMUExtras"]

QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"

_TYPES = ("string", "signed", "unsigned", "bool", "remove")


@definition
class QEMUExtras:
    """
    What the user hands to QEMU itself.

    @ivar arguments: the last arguments.
    @ivar environment: C{(name, value)}; the value may be None.
    @ivar added, removed: names of capabilities.
    @ivar overrides: C{(alias, ((property, type, value) ...))}.
    @ivar deprecation: what becomes of deprecated commands: C{omit}, C{reject}, C{crash}, C{none}.
    """

    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str | None], ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    overrides: tuple[tuple[str, tuple[tuple[str, str, str | None], ...]], ...] = ()
    deprecation: str | None = None

    @classmethod
    def read(cls, node: Node) -> QEMUExtras | None:
        """
        Read what stands in a domain.

        @return: None if nothing does.
        """
        arguments: list[str] = []
        environment: list[tuple[str, str | None]] = []
        added: list[str] = []
        removed: list[str] = []
        overrides: list[tuple[str, tuple[tuple[str, str, str | None], ...]]] = []
        deprecation = None
        extras = node.iterchildren(f"{{{QEMU_NAMESPACE}}}*")
        for child in sorted(extras, key=lambda child: _local(child) != "commandline"):
            kind = _local(child)
            if kind == "commandline":
                for item in child:
                    if _local(item) == "arg":
                        value = item.get("value")
                        if value is None:
                            raise _bad("No qemu command-line argument specified")
                        arguments.append(value)
                    elif _local(item) == "env":
                        environment.append((_variable(item), item.get("value")))
            elif kind == "capabilities":
                for item in child:
                    name = item.get("capability")
                    if _local(item) in ("add", "del"):
                        if name is None:
                            raise _bad("missing capability name")
                        (added if _local(item) == "add" else removed).append(name)
            elif kind == "override":
                overrides += [_override(item) for item in child if _local(item) == "device"]
            elif kind == "deprecation":
                deprecation = child.get("behavior")
        found = cls(
            arguments=tuple(arguments),
            environment=tuple(environment),
            added=tuple(added),
            removed=tuple(removed),
            overrides=tuple(overrides),
            deprecation=deprecation,
        )
        return None if found == cls() else found

    def overridden(self) -> dict[str, tuple[tuple[str, str | None, str | None], ...]]:
        """Return the properties to change, by alias."""
        return dict(self.overrides)

    def write(self, out: list[str], indent: str) -> None:
        """Append the elements."""
        if self.arguments or self.environment:
            out.append(f"{indent}<qemu:commandline>\n")
            out.extend(
                f"{indent}  <qemu:arg value='{escape(value)}'/>\n" for value in self.arguments
            )
            for name, value in self.environment:
                text = "" if value is None else f" value='{escape(value)}'"
                out.append(f"{indent}  <qemu:env name='{escape(name)}'{text}/>\n")
            out.append(f"{indent}</qemu:commandline>\n")
        if self.added or self.removed:
            out.append(f"{indent}<qemu:capabilities>\n")
            for tag, names in (("add", self.added), ("del", self.removed)):
                out.extend(
                    f"{indent}  <qemu:{tag} capability='{escape(name)}'/>\n" for name in names
                )
            out.append(f"{indent}</qemu:capabilities>\n")
        if self.overrides:
            out.append(f"{indent}<qemu:override>\n")
            for alias, properties in self.overrides:
                if not properties:
                    out.append(f"{indent}  <qemu:device alias='{escape(alias)}'/>\n")
                    continue
                out.append(f"{indent}  <qemu:device alias='{escape(alias)}'>\n")
                out.append(f"{indent}    <qemu:frontend>\n")
                for name, kind, value in properties:
                    text = "" if value is None else f" value='{escape(value)}'"
                    out.append(
                        f"{indent}      <qemu:property name='{escape(name)}' type='{kind}'{text}/>\n"
                    )
                out.append(f"{indent}    </qemu:frontend>\n{indent}  </qemu:device>\n")
            out.append(f"{indent}</qemu:override>\n")
        if self.deprecation is not None:
            out.append(f"{indent}<qemu:deprecation behavior='{escape(self.deprecation)}'/>\n")


def _local(node: Node) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _bad(detail: str) -> VirtError:
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.QEMU)


def _variable(node: Node) -> str:
    name: str | None = node.get("name")
    if name is None:
        raise _bad("No qemu environment name specified")
    if not name:
        raise _bad("Empty qemu environment name specified")
    if not (name[0].isalpha() or name[0] == "_"):
        raise _bad("Invalid environment name, it must begin with a letter or underscore")
    if not all(char.isascii() and (char.isalnum() or char == "_") for char in name):
        raise _bad("Invalid environment name, it must contain only alphanumerics and underscore")
    return name


def _override(node: Node) -> tuple[str, tuple[tuple[str, str, str | None], ...]]:
    alias = node.get("alias")
    if not alias:
        raise xmlError("missing 'alias' attribute for qemu:device", ErrorDomain.QEMU)
    found: list[tuple[str, str, str | None]] = []
    for frontend in node:
        if _local(frontend) != "frontend":
            continue
        for item in frontend:
            if _local(item) != "property":
                continue
            name, kind, value = item.get("name"), item.get("type"), item.get("value")
            if name is None:
                raise xmlError("missing 'name' attribute for qemu:property", ErrorDomain.QEMU)
            if kind is None:
                raise xmlError(
                    "Missing required attribute 'type' in element 'property'", ErrorDomain.XML
                )
            if kind not in _TYPES:
                raise xmlError(
                    f"Invalid value for attribute 'type' in element 'property': '{kind}'.",
                    ErrorDomain.XML,
                )
            if kind != "remove" and value is None:
                raise xmlError("missing 'value' attribute for 'qemu:property'", ErrorDomain.QEMU)
            if kind == "remove" and value is not None:
                raise xmlError(
                    "setting 'value' attribute of 'qemu:property' doesn't make sense with 'remove' "
                    "type",
                    ErrorDomain.QEMU,
                )
            if kind == "bool" and value not in ("true", "false"):
                raise xmlError(
                    f"invalid value '{value}' of 'value' attribute of 'qemu:property'",
                    ErrorDomain.QEMU,
                )
            if kind in ("signed", "unsigned"):
                number: int | None
                try:
                    number = int(value or "")
                except ValueError:
                    number = None
                if number is None or (kind == "unsigned" and number < 0):
                    raise xmlError(
                        f"invalid value '{value}' of 'value' attribute of 'qemu:property'",
                        ErrorDomain.QEMU,
                    )
            found.append((name, kind, value))
    return alias, tuple(found)
