"""
What the stock Python binding does in a benchmark; run by an interpreter that has it, one process per measurement.

Arguments: a URI, what to do, seconds.  Prints C{ready}, waits for a line, works, prints its rate per second.
"""

import sys
import time

import libvirt

GUEST = "<domain type='test'><name>{}</name><memory>8192</memory><os><type>hvm</type></os></domain>"

DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/{0}'/>"
    "<target dev='vd{0}' bus='virtio'/></disk>"
)
INTERFACE = (
    "<interface type='network'><source network='default'/><model type='virtio'/></interface>"
)
TYPICAL = GUEST.format("typical").replace(
    "</os>",
    "</os><vcpu>4</vcpu><features><acpi/><apic/></features><devices>"
    + "".join(DISK.format(letter) for letter in "abcd")
    + INTERFACE * 2
    + "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>"
    "<video><model type='vga'/></video></devices>",
)


def sink(stream, data, total):
    """Count what a stream brings."""
    total[0] += len(data)


def work(uri, what):
    """
    Set up one kind of work.

    @return: a callable that does it once and gives what it adds to the count: 1, or bytes.
    """
    if what == "open":
        return lambda: 1 + libvirt.open(uri).close()
    connection = libvirt.open(uri)
    domain = connection.lookupByName("test")
    if what == "call":
        return lambda: domain.info() and 1
    if what == "define":
        xml = GUEST.format("short-lived")
        return lambda: connection.defineXML(xml).undefine() or 1
    if what == "typical":
        return lambda: connection.defineXML(TYPICAL).undefine() or 1
    if what == "list":
        return lambda: connection.listAllDomains() and 1
    if what == "statistics":
        return lambda: connection.getAllDomainStats() and 1

    def screenshot():
        total = [0]
        stream = connection.newStream()
        domain.screenshot(stream, 0)
        stream.recvAll(sink, total)
        stream.finish()
        return total[0]

    return {"screenshot": screenshot}[what]


def main():
    """Work for the time given."""
    uri, what, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    libvirt.registerErrorHandler(lambda context, error: None, None)
    try:
        step = work(uri, what)
        step()
    except libvirt.libvirtError as error:
        sys.exit(f"stock binding: {error}")
    print("ready", flush=True)
    sys.stdin.readline()
    done = 0
    clock = time.perf_counter
    started = clock()
    end = started + seconds
    while clock() < end:
        done += step()
    print(done / (clock() - started), flush=True)


if __name__ == "__main__":
    main()
