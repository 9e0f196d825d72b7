"""
Network interfaces of the host, and changes to them that can be taken back.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.interface import InterfaceDefinition, formatInterface, parseInterface
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import InterfaceRef
from pyvirt.drivers.test.refusals import checkFlags, operationInvalid
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["HostInterface", "HostInterfaces"]


class HostInterface:
    """An interface of the host."""

    __slots__ = ("active", "definition", "ref")

    def __init__(self, definition: InterfaceDefinition, active: bool = False) -> None:
        self.definition = definition
        self.active = active
        self.ref = InterfaceRef(definition.name or "", definition.mac or "")


_LIST_FLAGS = c.VIR_CONNECT_LIST_INTERFACES_ACTIVE | c.VIR_CONNECT_LIST_INTERFACES_INACTIVE


class HostInterfaces:
    """Defines, starts and stops interfaces of the host."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _named(self, name: str) -> HostInterface:
        interface = self._world.interfaces.get(name)
        if interface is None:
            raise virtError(
                ErrorCode.NO_INTERFACE,
                f"no interface with matching name '{name}'",
                ErrorDomain.TEST,
            )
        return interface

    def connectListAllInterfaces(self, flags: int) -> list[InterfaceRef]:
        """List the interfaces that pass the filters."""
        checkFlags("testConnectListAllInterfaces", flags, _LIST_FLAGS)
        return [
            interface.ref
            for interface in self._world.interfaces.values()
            if not flags
            or flags
            & (
                c.VIR_CONNECT_LIST_INTERFACES_ACTIVE
                if interface.active
                else c.VIR_CONNECT_LIST_INTERFACES_INACTIVE
            )
        ]

    def interfaceLookupByName(self, name: str) -> InterfaceRef:
        """Find an interface."""
        return self._named(name).ref

    def interfaceLookupByMACString(self, mac: str) -> InterfaceRef:
        """Find the only interface that has a hardware address, written in any case, or says of none that it has it."""
        wanted = mac.lower()
        found = [
            interface.ref
            for interface in self._world.interfaces.values()
            if interface.definition.mac is None or interface.ref.mac.lower() == wanted
        ]
        if not found:
            raise virtError(
                ErrorCode.NO_INTERFACE, f"no interface with matching mac '{mac}'", ErrorDomain.TEST
            )
        if len(found) > 1:
            raise virtError(ErrorCode.MULTIPLE_INTERFACES, None, ErrorDomain.TEST)
        return InterfaceRef(found[0].name, mac)

    def interfaceIsActive(self, iface: InterfaceRef) -> bool:
        """Whether it is up."""
        return self._named(iface.name).active

    def interfaceGetXMLDesc(self, iface: InterfaceRef, flags: int) -> str:
        """Write an interface's definition."""
        checkFlags("testInterfaceGetXMLDesc", flags)
        return formatInterface(self._named(iface.name).definition)

    def interfaceDefineXML(self, xml: str, flags: int) -> InterfaceRef:
        """Define an interface, or redefine one of that name."""
        checkFlags("testInterfaceDefineXML", flags, c.VIR_INTERFACE_DEFINE_VALIDATE)
        if flags & c.VIR_INTERFACE_DEFINE_VALIDATE:
            validate("interface", xml)
        definition = parseInterface(xml)
        assert definition.name is not None
        known = self._world.interfaces.get(definition.name)
        interface = HostInterface(definition, known is not None and known.active)
        self._world.interfaces[definition.name] = interface
        return interface.ref

    def interfaceUndefine(self, iface: InterfaceRef) -> None:
        """Forget an interface, up or not."""
        del self._world.interfaces[self._named(iface.name).ref.name]

    def interfaceCreate(self, iface: InterfaceRef, flags: int) -> None:
        """Bring an interface up."""
        checkFlags("testInterfaceCreate", flags)
        interface = self._named(iface.name)
        if interface.active:
            raise virtError(ErrorCode.OPERATION_INVALID, None, ErrorDomain.TEST)
        interface.active = True

    def interfaceDestroy(self, iface: InterfaceRef, flags: int) -> None:
        """Take an interface down."""
        checkFlags("testInterfaceDestroy", flags)
        interface = self._named(iface.name)
        if not interface.active:
            raise virtError(ErrorCode.OPERATION_INVALID, None, ErrorDomain.TEST)
        interface.active = False

    def interfaceChangeBegin(self, flags: int) -> None:
        """Remember how the interfaces are defined now."""
        checkFlags("testInterfaceChangeBegin", flags)
        if self._world.interfaceBackup is not None:
            raise operationInvalid("there is another transaction running.")
        self._world.interfaceBackup = [
            interface.definition for interface in self._world.interfaces.values()
        ]

    def interfaceChangeCommit(self, flags: int) -> None:
        """Keep what was changed since."""
        checkFlags("testInterfaceChangeCommit", flags)
        if self._world.interfaceBackup is None:
            raise operationInvalid("no transaction running, nothing to be committed.")
        self._world.interfaceBackup = None

    def interfaceChangeRollback(self, flags: int) -> None:
        """Go back to how the interfaces were defined; none of them is up then."""
        checkFlags("testInterfaceChangeRollback", flags)
        backup, self._world.interfaceBackup = self._world.interfaceBackup, None
        if backup is None:
            raise operationInvalid("no transaction running, nothing to rollback.")
        self._world.interfaces = {
            definition.name or "": HostInterface(definition) for definition in backup
        }
