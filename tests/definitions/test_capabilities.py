"""
Capabilities of hosts, of domains and of pools: what is read is written again.
"""

from __future__ import annotations

from lxml import etree
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.definitions import capabilities, domaincaps, hostcpu
from pyvirt.definitions.domain._cpu import CPU
from pyvirt.errors import VirtError
from tests.definitions import documentation
from tests.definitions.grammar import SCHEMAS

HOST = """<capabilities>

  <host>
    <cpu>
      <arch>x86_64</arch>
      <model>Skylake</model>
      <signature family='6' model='142' stepping='12'/>
      <feature name='ds'/>
      <pages unit='KiB' size='4'/>
    </cpu>
    <power_management/>
    <iommu support='no'/>
    <topology>
      <cells num='1'>
        <cell id='0'>
          <memory unit='KiB'>2097152</memory>
          <pages unit='KiB' size='4'>524288</pages>
          <cpus num='1'>
            <cpu id='0' socket_id='0' die_id='0' core_id='0' siblings='0'/>
          </cpus>
        </cell>
      </cells>
    </topology>
    <secmodel>
      <model>none</model>
      <doi></doi>
    </secmodel>
  </host>

  <guest>
    <os_type>hvm</os_type>
    <arch name='x86_64'>
      <wordsize>64</wordsize>
      <emulator>/usr/bin/e</emulator>
      <machine canonical='pc-1' maxCpus='255'>pc</machine>
      <domain type='qemu'/>
    </arch>
    <features>
      <acpi default='on' toggle='yes'/>
      <deviceboot/>
    </features>
  </guest>

</capabilities>
"""

DOMAIN = """<domainCapabilities>
  <path>/usr/bin/e</path>
  <domain>kvm</domain>
  <vcpu max='255'/>
  <iothreads supported='yes'/>
  <os supported='yes'>
    <enum name='firmware'/>
    <loader supported='yes'>
      <value>/a</value>
      <enum name='type'>
        <value>rom</value>
      </enum>
    </loader>
  </os>
  <cpu>
    <mode name='custom' supported='yes'>
      <model usable='no' deprecated='no' vendor='Intel'>Broadwell</model>
    </mode>
  </cpu>
  <features>
    <sev supported='no'/>
  </features>
</domainCapabilities>
"""


class CapabilitiesTests(SynchronousTestCase):
    """Documents that are read and written."""

    maxDiff = None

    def test_host(self) -> None:
        """
        Capabilities of a host come back byte for byte.
        """
        found = capabilities.parseCapabilities(HOST)
        self.assertEqual(capabilities.formatCapabilities(found), HOST)
        self.assertEqual(found.guests[0].arch.machines[0].canonical, "pc-1")

    def test_domain(self) -> None:
        """
        Capabilities of domains come back byte for byte.
        """
        found = domaincaps.parseDomainCapabilities(DOMAIN)
        self.assertEqual(domaincaps.formatDomainCapabilities(found), DOMAIN)

    def test_documentation(self) -> None:
        """
        The capabilities that libvirt's documentation shows lose nothing.
        """
        if not documentation.FOLDER.is_dir() or not SCHEMAS.is_dir():
            raise SkipTest("libvirt's documentation is not installed")
        again = {
            "capabilities": lambda xml: capabilities.formatCapabilities(
                capabilities.parseCapabilities(xml)
            ),
            "domaincaps": lambda xml: domaincaps.formatDomainCapabilities(
                domaincaps.parseDomainCapabilities(xml)
            ),
            "poolcaps": lambda xml: domaincaps.formatPoolCapabilities(
                domaincaps.parsePoolCapabilities(xml)
            ),
        }
        count = 0
        for each in documentation.examples():
            if each.kind in again:
                # One page calls the element of threads by another name than libvirt does.
                xml = each.xml.replace("<iothread ", "<iothreads ").replace(
                    "<domainCapabilities/>", ""
                )
                self.assertEqual(self.canonical(again[each.kind](xml)), self.canonical(xml), xml)
                count += 1
        self.assertGreater(count, 15)

    @staticmethod
    def canonical(xml: str) -> bytes:
        parser = etree.XMLParser(remove_blank_text=True)
        return etree.tostring(etree.fromstring(xml, parser), method="c14n")

    def test_processors(self) -> None:
        """
        A processor that names an architecture is one of a host, another one is a guest's.
        """
        host = hostcpu.parseCPU("<cpu><arch>x86_64</arch><model>m</model><feature name='x'/></cpu>")
        self.assertIsInstance(host, hostcpu.HostCPU)
        self.assertIsInstance(hostcpu.parseCPU("<cpu><model>x</model></cpu>"), CPU)
        twice = (
            "<cpu><arch>x86_64</arch><model>m</model><feature name='x'/><feature name='x'/></cpu>"
        )
        self.assertRaises(VirtError, hostcpu.parseCPU, twice)
