"""
What the binding and our blocking face do with a daemon that offers less: scripts that print each outcome, and what the
daemon was asked.
"""

#: What both begin with; C{SOCKET} and C{log()} are theirs.
COMMON = r"""
SOCKET = sys.argv[1]
libvirt.registerErrorHandler(lambda context, error: None, None)
LOG = open(SOCKET + ".log")

def log():
    for line in LOG.read().splitlines():
        print("   ", line)

def reach(name, features="", words=""):
    return libvirt.open("test+unix:///%s-%s-%s?socket=%s" % (name, features, words, SOCKET))

def outcome(label, act):
    print(label)
    try:
        answer = act()
    except libvirt.libvirtError as error:
        print("  refused", error.get_error_code(), error.get_error_domain(), error.get_error_level(), str(error))
    except Exception as error:
        print("  raised", type(error).__name__, error)
    else:
        print("  answers", answer.name() + " " + str(answer.ID()) if hasattr(answer, "name") else answer)
    log()
"""

MIGRATION = (
    COMMON
    + r"""
LIVE, P2P, TUNNELLED = libvirt.VIR_MIGRATE_LIVE, libvirt.VIR_MIGRATE_PEER2PEER, libvirt.VIR_MIGRATE_TUNNELLED
OFFLINE, PERSIST = libvirt.VIR_MIGRATE_OFFLINE, libvirt.VIR_MIGRATE_PERSIST_DEST
DISK, INC = libvirt.VIR_MIGRATE_NON_SHARED_DISK, libvirt.VIR_MIGRATE_NON_SHARED_INC
PARALLEL, ABORT = libvirt.VIR_MIGRATE_PARALLEL, libvirt.VIR_MIGRATE_ABORT_ON_ERROR
XML = "<domain type='test'><name>other</name></domain>"

def ways(dom, there):
    yield "migrate", lambda: dom.migrate(there, LIVE, None, None, 0)
    yield "migrate named", lambda: dom.migrate(there, LIVE | ABORT, "moved", "tcp:given", 5)
    yield "migrate p2p", lambda: dom.migrate(there, LIVE | P2P, "test", "test://far/", 5)
    yield "migrate p2p plain", lambda: dom.migrate(there, LIVE | P2P, None, None, 0)
    yield "migrate tunnelled", lambda: dom.migrate(there, LIVE | TUNNELLED, None, None, 0)
    yield "migrate offline", lambda: dom.migrate(there, OFFLINE | PERSIST, None, None, 0)
    yield "migrate both", lambda: dom.migrate(there, LIVE | DISK | INC, None, None, 0)
    yield "migrate parallel", lambda: dom.migrate(there, LIVE | P2P | TUNNELLED | PARALLEL, None, None, 0)
    yield "migrate2", lambda: dom.migrate2(there, None, LIVE, None, None, 0)
    yield "migrate2 xml", lambda: dom.migrate2(there, XML, LIVE, "moved", "tcp:given", 9)
    yield "migrate2 p2p xml", lambda: dom.migrate2(there, XML, LIVE | P2P, "test", "tcp:given", 9)
    yield "migrate3", lambda: dom.migrate3(there, {}, LIVE)
    yield "migrate3 simple", lambda: dom.migrate3(there, {"destination_name": "moved", "bandwidth": 5, "migrate_uri": "tcp:given"}, LIVE)
    yield "migrate3 more", lambda: dom.migrate3(there, {"disks_port": 7, "listen_address": "::"}, LIVE)
    yield "migrate3 p2p", lambda: dom.migrate3(there, {}, LIVE | P2P)
    yield "migrate3 offline", lambda: dom.migrate3(there, {}, OFFLINE | PERSIST)
    yield "toURI direct", lambda: dom.migrateToURI("tcp:given", LIVE, None, 0)
    yield "toURI p2p", lambda: dom.migrateToURI("test://far/", LIVE | P2P, "moved", 5)
    yield "toURI offline", lambda: dom.migrateToURI("test://far/", OFFLINE | P2P | PERSIST, None, 0)
    yield "toURI here", lambda: dom.migrateToURI("test:///default", LIVE | P2P, None, 0)
    yield "toURI2 p2p", lambda: dom.migrateToURI2("test://far/", "tcp:given", None, LIVE | P2P, None, 5)
    yield "toURI2 xml", lambda: dom.migrateToURI2("test://far/", "tcp:given", XML, LIVE | P2P, "moved", 5)
    yield "toURI2 direct", lambda: dom.migrateToURI2(None, "tcp:given", None, LIVE, None, 0)
    yield "toURI2 direct xml", lambda: dom.migrateToURI2(None, "tcp:given", XML, LIVE, None, 0)
    yield "toURI2 where", lambda: dom.migrateToURI2("test://far/", None, None, LIVE, None, 0)
    yield "toURI3 p2p", lambda: dom.migrateToURI3("test://far/", {"bandwidth": 5}, LIVE | P2P)
    yield "toURI3 more", lambda: dom.migrateToURI3("test://far/", {"disks_port": 7}, LIVE | P2P)
    yield "toURI3 direct", lambda: dom.migrateToURI3(None, {"migrate_uri": "tcp:given"}, LIVE)
    yield "toURI3 direct more", lambda: dom.migrateToURI3(None, {"disks_port": 7, "migrate_uri": "tcp:given"}, LIVE)
    yield "toURI3 xml", lambda: dom.migrateToURI3("test://far/", {"destination_xml": XML, "migrate_uri": "tcp:given"}, LIVE | P2P)
    yield "toURI3 where", lambda: dom.migrateToURI3("test://far/", {}, LIVE)
    yield "toURI3 nothing", lambda: dom.migrateToURI3(None, {}, LIVE)

def through(source, target, chosen=None, words=("", "")):
    here, there = reach("here", source, words[0]), reach("there", target, words[1])
    dom = here.lookupByName("test")
    for label, act in ways(dom, there):
        if chosen is None or label in chosen:
            outcome("%s|%s %s: %s" % (source, target, "".join(words), label), act)
    here.close(), there.close()

for features in ("", "1", "1.3", "4", "5", "4.5.6", "6.7.12", "4.5.6.7.11.12.13"):
    through(features, features)
for source, target in (("6.13", "6"), ("6", "6.13"), ("3.6", "3"), ("3", "1.3.11"), ("1", ""), ("6.7", "6"), ("6.12", "6"), ("6", "6.12"), ("3.11", "3")):
    through(source, target, ("migrate", "migrate named", "migrate2 xml", "migrate3", "migrate3 more", "migrate3 offline"))
for features, steps in (
    ("1", ("Prepare", "Perform", "Finish")),
    ("3", ("Prepare2", "Perform", "Finish2")),
    ("6", ("Begin3", "Prepare3", "Perform3", "Finish3", "Confirm3")),
    ("6.7", ("Begin3", "Prepare3", "Perform3", "Finish3", "Confirm3")),
    ("6.13", ("Begin3Params", "Prepare3Params", "Perform3Params", "Finish3Params", "Confirm3Params")),
    ("6.7.13", ("Begin3Params", "Prepare3Params", "Perform3Params", "Finish3Params", "Confirm3Params")),
):
    for step in steps:
        through(features, features, ("migrate", "migrate3 simple"), ("domainMigrate" + step,) * 2)
    through(features, features, ("migrate", "migrate named", "migrate3"), ("", "nouri"))
    if "6" in features:
        through(features, features, ("migrate", "migrate3"), ("domainMigratePerform3", "finished"))
        through(features, features, ("migrate", "migrate3"), ("domainMigratePerform3Params", "finished"))
"""
)

EVENTS = (
    COMMON
    + r"""
import time
libvirt.virEventRegisterDefaultImpl()
told = []
timer = libvirt.virEventAddTimeout(-1, lambda number, opaque: None, None)

def turn():
    # Some more turns, in case there are too many.
    more = 10
    libvirt.virEventUpdateTimeout(timer, 5)
    until = time.monotonic() + 60
    while more and time.monotonic() < until:
        libvirt.virEventRunDefaultImpl()
        more -= len(told) >= wanted
    libvirt.virEventUpdateTimeout(timer, -1)
    for each in sorted(told): print("   ", *each)
    del told[:]

def heard(conn, dom, *details):
    told.append((details[-1], dom.name(), details[:-1]))

for features in ("", "14"):
    conn = reach("events", features)
    dom = conn.lookupByName("test")
    other = conn.defineXML("<domain type='test'><name>other</name><uuid>11111111-2222-4333-8444-555555555555</uuid><memory>1</memory><os><type>hvm</type></os></domain>")
    log()
    numbers = []
    for about, event, name in ((None, 0, "all"), (dom, 0, "test"), (other, 0, "other"), (None, 15, "removed"), (dom, 15, "gone"), (None, 1, "reboot")):
        outcome("register " + name, lambda: numbers.append(conn.domainEventRegisterAny(about, event, heard if name != "gone" else (lambda *a: heard(*a)), name)))
    outcome("register old", lambda: conn.domainEventRegister(heard, "old"))
    wanted = 3
    outcome("suspend", dom.suspend)
    turn()
    outcome("create", other.create)
    turn()
    device = "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
    for number in list(numbers[:3]):
        outcome("deregister", lambda: conn.domainEventDeregisterAny(number))
    wanted = 1
    outcome("resume", dom.resume)
    turn()
    outcome("deregister old", lambda: conn.domainEventDeregister(heard))
    for number in list(numbers[3:]):
        outcome("deregister", lambda: conn.domainEventDeregisterAny(number))
    outcome("again", lambda: conn.domainEventRegisterAny(dom, 0, heard, "again"))
    outcome("suspend", dom.suspend)
    turn()
    outcome("deregister again", lambda: conn.domainEventDeregisterAny(7))
    dom.resume(), other.destroy(), other.undefine()
    conn.close()
    log()
"""
)
