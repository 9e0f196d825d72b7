"""
What the stock Python binding does to real guests in a benchmark; run by an interpreter that has it, inside a world.

Arguments: what to do, how many guests there are, seconds.  Definitions of guests that are to be made are lines of the
standard input.  Prints one figure.
"""

import sys
import threading
import time

import libvirt

URI = "qemu:///system"


def timed(step):
    """Seconds that something takes."""
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def rate(step, seconds):
    """Times per second that something can be done, for so long and at least once."""
    step()
    done, started = 0, time.perf_counter()
    while not done or time.perf_counter() < started + seconds:
        step()
        done += 1
    return done / (time.perf_counter() - started)


def together(step, count):
    """Seconds that something takes which so many clients do at once, each with a connection of its own."""
    connections = [libvirt.open(URI) for _ in range(count)]
    problems = []

    def work(number):
        try:
            step(connections[number], number)
        except libvirt.libvirtError as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    started = time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    elapsed = time.perf_counter() - started
    for each in connections:
        each.close()
    if problems:
        raise problems[0]
    return elapsed


def name(number):
    """What a guest is called."""
    return f"guest-{number}"


def idle():
    """Stay connected and listen to events, as a manager does, until a line comes."""
    libvirt.virEventRegisterDefaultImpl()
    listening = libvirt.open(URI)
    for event in (
        libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE,
    ):
        listening.domainEventRegisterAny(None, event, lambda *details: None, None)
    listening.setKeepAlive(5, 3)
    loop = threading.Thread(target=forever, daemon=True)
    loop.start()
    print("ready", flush=True)
    sys.stdin.readline()
    return 0


def forever():
    """Run the event loop."""
    while True:
        libvirt.virEventRunDefaultImpl()


def work(what, count, seconds):
    """Do one kind of work, and return its figure."""
    connection = libvirt.open(URI)
    if what == "define":
        return timed(lambda: [connection.defineXML(line) for line in sys.stdin])
    if what == "idle":
        return idle()
    domains = [connection.lookupByName(name(number)) for number in range(count)]

    def each(act):
        return lambda: [act(domain) for domain in domains]

    if what == "start":
        return timed(each(lambda domain: domain.create()))
    if what == "destroy":
        return timed(each(lambda domain: domain.destroy()))
    if what == "start together":
        return together(lambda conn, number: conn.lookupByName(name(number)).create(), count)
    if what == "destroy together":
        return together(lambda conn, number: conn.lookupByName(name(number)).destroy(), count)
    if what == "found":
        # Each answers for itself what only its QEMU knows.
        return each(lambda domain: domain.blockStats("vda"))() and 0
    if what == "change":
        return timed(
            lambda: [each(act)() for act in (lambda d: d.suspend(), lambda d: d.resume()) * 3]
        )
    steps = {
        "list": lambda: connection.listAllDomains(),
        "statistics": lambda: connection.getAllDomainStats(),
        "statistics, nowait": lambda: connection.getAllDomainStats(
            flags=libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        ),
        "info": each(lambda domain: (domain.info(), domain.state(), domain.autostart())),
        "xml": each(lambda domain: domain.XMLDesc()),
        "block": each(lambda domain: (domain.blockStats("vda"), domain.blockInfo("vda"))),
        "memory": each(lambda domain: domain.memoryStats()),
    }
    return rate(steps[what], seconds)


def main():
    """Work, and print the figure."""
    libvirt.registerErrorHandler(lambda context, error: None, None)
    try:
        print(work(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])), flush=True)
    except libvirt.libvirtError as error:
        sys.exit(f"stock binding: {error}")


if __name__ == "__main__":
    main()
