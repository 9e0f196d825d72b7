"""
Devices coming and going, and what is inside them.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef, TypedParam


class IDomainDevices(Interface):
    """Devices coming and going, and what is inside them."""

    def domainBlockPeek(
        dom: DomainRef, path: str, offset: int, size: int, flags: int
    ) -> Answer[bytes]:
        """
        Read from a guest's disk as the guest sees it.

        @param path: the disk, by its target or the path of its source; not empty.
        @param offset: where to start, in bytes.
        @param size: how many bytes, at most 4194304.
        @param flags: none yet.
        """

    def domainMemoryPeek(dom: DomainRef, offset: int, size: int, flags: int) -> Answer[bytes]:
        """
        Read from a guest's memory.

        @param offset: where to start, in bytes.
        @param size: how many bytes, at most 4194304.
        @param flags: C{VIR_MEMORY_VIRTUAL} or C{VIR_MEMORY_PHYSICAL}: which kind of address; the
            driver refuses neither.
        """

    def domainAttachDeviceFlags(dom: DomainRef, xml: str, flags: int) -> Answer[None]:
        """
        Give a domain one more device.

        @param xml: the device's element, or a C{<domain>} with several devices where the driver
            allows that.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*} and C{VIR_DOMAIN_DEVICE_MODIFY_*}; older
            callers: the running guest.
        """

    def domainDetachDeviceFlags(dom: DomainRef, xml: str, flags: int) -> Answer[None]:
        """
        Take a device away.  The running guest may still hold it when this answers; an event tells
        when it is gone.

        @param xml: the device's element, as much as is needed to know it by.
        @param flags: as L{domainAttachDeviceFlags}.
        """

    def domainUpdateDeviceFlags(dom: DomainRef, xml: str, flags: int) -> Answer[None]:
        """
        Change what can be changed of a device: media, links, passwords.

        @param xml: the device's element with the changes.
        @param flags: as L{domainAttachDeviceFlags}.
        """

    def domainBlockResize(dom: DomainRef, disk: str, size: int, flags: int) -> Answer[None]:
        """
        Make a running guest's disk larger or smaller.

        @param disk: its target or the path of its source.
        @param size: KiB, or bytes with C{VIR_DOMAIN_BLOCK_RESIZE_BYTES}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_BLOCK_RESIZE_*}.
        """

    def domainPinIOThread(
        dom: DomainRef, iothreadsID: int, cpumap: bytes, flags: int
    ) -> Answer[None]:
        """
        Say which host CPUs an IO thread may use.

        @param iothreadsID: its number, 1 or more.
        @param cpumap: a bit for each host CPU, lowest first, 1 to 2048 bytes; CPUs beyond it are
            not allowed.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainAddIOThread(dom: DomainRef, iothreadID: int, flags: int) -> Answer[None]:
        """
        Add an IO thread.

        @param iothreadID: its number; 0 is refused here.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainDelIOThread(dom: DomainRef, iothreadID: int, flags: int) -> Answer[None]:
        """
        Remove an IO thread that no device uses.

        @param iothreadID: its number, not 0.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainDetachDeviceAlias(dom: DomainRef, alias: str, flags: int) -> Answer[None]:
        """
        As L{domainDetachDeviceFlags}, by the alias that the device has.

        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainSetIOThreadParams(
        dom: DomainRef, iothreadID: int, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Tune how an IO thread waits and how many workers it has.

        @param params: one or more of C{VIR_DOMAIN_IOTHREAD_*}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainFDAssociate(dom: DomainRef, name: str, flags: int, fds: list[int]) -> Answer[None]:
        """
        Remember descriptors under a name, for definitions to refer to until the domain is gone.

        @param flags: bitwise-OR of C{VIR_DOMAIN_FD_ASSOCIATE_*}.
        @param fds: one or more; they stay the caller's, and what keeps them duplicates them.
        """

    def domainGraphicsReload(dom: DomainRef, type: int, flags: int) -> Answer[None]:
        """
        Read again what a display was started with.

        @param type: C{VIR_DOMAIN_GRAPHICS_RELOAD_TYPE_*}: which displays.
        @param flags: none yet.
        """

    def domainQemuAttach(pidValue: int, flags: int) -> Answer[DomainRef]:
        """
        Take over a QEMU process that someone else started.

        @param pidValue: the process, not 0.
        @param flags: none yet.
        """
