"""
Scripts for the stock Python binding and for C{pyvirt.blocking}: what is in volumes, by streams; and events of every kind,
timers and handles.
"""

__all__ = ["EVENTS", "STREAMS"]

#: For our daemon, whose volumes hold what is written.
STREAMS = r"""
import libvirt, os, sys, tempfile, threading
libvirt.registerErrorHandler(lambda *a: None, None)
conn = libvirt.open(URI)
pool = conn.storagePoolLookupByName("default-pool")
def vol(name, size=10 * 1024 * 1024):
    return pool.createXML("<volume><name>%s</name><capacity>%d</capacity></volume>" % (name, size))
def act(label, f, *a, **k):
    try: r = f(*a, **k); r = r if not isinstance(r, bytes) else (len(r), r[:8], hash(r) == hash(bytes(r)))
    except libvirt.libvirtError as e: r = ("libvirtError", str(e), e.err)
    except Exception as e: r = (type(e).__name__, str(e))
    print(label, r if not hasattr(r, "name") else r.name(), flush=True)
    return r
v = vol("a")
data = bytes(range(256)) * 4096 * 3
def up(v, data, offset=0, length=0, flags=0, chunk=None, ret=None):
    st = conn.newStream(0)
    act("upload", v.upload, st, offset, length, flags)
    pos = [0]
    def handler(stream, n, opaque):
        assert stream is st, "stream"
        if opaque == "raise": raise ValueError("mine")
        if opaque == "none": return None
        part = data[pos[0]:pos[0] + n]; pos[0] += len(part); return part
    act("sendAll", st.sendAll, handler, ret)
    act("finish", st.finish)
    act("finish again", st.finish)
    act("send after", st.send, b"x")
def down(v, offset=0, length=0, flags=0, ret=None):
    st = conn.newStream(0)
    act("download", v.download, st, offset, length, flags)
    got = []
    def handler(stream, part, opaque):
        got.append(part)
        if opaque == "raise": raise KeyError("mine")
        return opaque
    act("recvAll", st.recvAll, handler, ret)
    act("finish", st.finish)
    b = b"".join(got)
    print(len(b), b[:16], b.rstrip(b"\0")[-4:], sum(b))
up(v, data); down(v); down(v, 100, 1000); down(v, 0, 10**9); down(v, 10**9, 0)
for ret in ("raise", "none"): up(v, b"abc", ret=ret)
down(v)
for ret in (-1, 0, 5, "x", None, "raise", True, -2.5): down(v, 0, 100, ret=ret)
up(v, data, 10**9); up(v, data, 0, 1000); up(v, data, 5, 0)
# sparse
w = vol("sparse")
def sparse_up(v, parts, flags=1, mode=None):
    st = conn.newStream(0)
    act("supload", v.upload, st, 0, 0, flags)
    left = list(parts); log = []
    def hole(stream, opaque):
        if mode == "hole-raise": raise ValueError("h")
        if mode == "hole-none": return None
        if mode == "hole-list": return [True, 3]
        if mode == "hole-short": return (True,)
        if mode == "hole-neg": return (True, -1)
        if not left: return (True, 0)
        kind, n = left[0]
        log.append((kind, n)); return (kind, n)
    def handler(stream, n, opaque):
        log.append(("h", n))
        if not left: return b""
        kind, m = left[0]
        n = min(n, m)
        if n == m: left.pop(0)
        else: left[0] = (kind, m - n)
        return b"D" * n
    def skip(stream, n, opaque):
        log.append(("s", n)); left.pop(0)
        if mode == "skip-raise": raise ValueError("s")
        if mode == "skip-neg": return -1
        if mode == "skip-none": return None
        return 0
    act("sparseSendAll " + str(mode), st.sparseSendAll, handler, hole, skip, None)
    act("finish", st.finish)
    print(log[:12])
def sparse_down(v, flags=1, mode=None):
    st = conn.newStream(0)
    act("sdownload", v.download, st, 0, 0, flags)
    log = []
    def handler(stream, part, opaque):
        if log and log[-1][0] == "d": log[-1] = ("d", log[-1][1] + len(part))
        else: log.append(("d", len(part)))
        return -1 if mode == "data-neg" else None
    def hole(stream, n, opaque):
        log.append(("hole", n))
        if mode == "hole-raise": raise ValueError("x")
        return -1 if mode == "hole-neg" else 0
    act("sparseRecvAll " + str(mode), st.sparseRecvAll, handler, hole, None)
    act("finish", st.finish)
    print(log)
sparse_up(w, [(True, 1000), (False, 5000), (True, 300000), (False, 1024 * 1024)]); sparse_down(w)
sparse_down(w, 0)
for m in ("hole-raise", "hole-none", "hole-list", "hole-short", "skip-raise", "skip-neg", "skip-none"): sparse_up(vol("w" + m), [(False, 100), (True, 10)], mode=m)
for m in ("data-neg", "hole-neg", "hole-raise"): sparse_down(w, mode=m)
sparse_up(vol("plain"), [(True, 100), (False, 100)], flags=0)
# single calls
st = conn.newStream(0)
for name, args in (("recv", (10,)), ("send", (b"x",)), ("finish", ()), ("abort", ()), ("recvHole", ()), ("sendHole", (5,)), ("recvFlags", (10, 1)), ("eventRemoveCallback", ()), ("eventUpdateCallback", (1,))):
    act("closed " + name, getattr(st, name), *args)
st = conn.newStream(0); w.download(st, 0, 0, 1)
act("recv", st.recv, 10); act("recvFlags", st.recvFlags, 10**6, 1); act("hole?", st.recvHole, 0); act("recvFlags2", st.recvFlags, 100, 1); act("badflag", st.recvFlags, 100, 2); act("badflag", st.recvHole, 1)
act("abort", st.abort); act("abort", st.abort); act("recv", st.recv, 10)
st = conn.newStream(0); w.upload(st, 0, 0, 0)
act("recv on upload", st.sendHole, 5); act("abort", st.abort)
st = conn.newStream(0); w.upload(st, 0, 0, 1)
act("sendHole", st.sendHole, 2**62); act("finish", st.finish)
st = conn.newStream(0); w.upload(st, 0, 0, 1)
act("send", st.send, b""); act("finish", st.finish)
# nonblock
st = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
v.download(st, 0, 300000, 0)
got, done = [], []
def ready(stream, events, opaque):
    if events & libvirt.VIR_STREAM_EVENT_READABLE:
        part = stream.recv(65536)
        if part == -2: return
        got.append(len(part))
        if not part:
            stream.eventRemoveCallback(); done.append(opaque)
    else:
        done.append(events)
act("add", st.eventAddCallback, libvirt.VIR_STREAM_EVENT_READABLE, ready, "o")
act("add again", st.eventAddCallback, libvirt.VIR_STREAM_EVENT_READABLE, ready, "o")
while not done: libvirt.virEventRunDefaultImpl()
print(sum(got), done); act("finish", st.finish)
# connection streams and closing while one is open
st = conn.newStream(0); v.download(st, 0, 0, 0); print(st.recv(4)); print(st.connect() is conn, conn.close())
act("recv after close", st.recv, 4); act("abort", st.abort)
"""

EVENTS = r"""
import libvirt, os, sys, threading, time
libvirt.registerErrorHandler(lambda *a: None, None)
happened = []
def act(label, f, *a, **k):
    try: r = f(*a, **k)
    except libvirt.libvirtError as e: r = ("libvirtError", str(e), e.err)
    except Exception as e: r = (type(e).__name__, str(e))
    print(label, r if not hasattr(r, "name") else r.name(), flush=True)
    return r
act("reg", libvirt.virEventRegisterDefaultImpl)
conn = libvirt.open(URI)
dom = conn.lookupByName("test")
ids = {}
def maker(name):
    def cb(conn, obj, *rest):
        happened.append((name, obj.name() if hasattr(obj, "name") else obj.getName(), *[r for r in rest]))
    return cb
for i in range(26):
    ids[i] = act("dom %d" % i, conn.domainEventRegisterAny, dom if i % 2 else None, i, maker("d%d" % i), i)
act("bad id", conn.domainEventRegisterAny, None, 99, maker("x"), 0)
act("bad id", conn.domainEventRegisterAny, None, -1, maker("x"), 0)
act("none cb", conn.domainEventRegisterAny, None, 0, None, 0)
for i in range(1): act("net %d" % i, conn.networkEventRegisterAny, None, i, maker("n%d" % i), i)
for i in range(2): act("pool %d" % i, conn.storagePoolEventRegisterAny, None, i, maker("p%d" % i), i)
for i in range(2): act("dev %d" % i, conn.nodeDeviceEventRegisterAny, None, i, maker("v%d" % i), i)
for i in range(2): act("sec %d" % i, conn.secretEventRegisterAny, None, i, maker("s%d" % i), i)
def drain(n):
    while len(happened) < n:
        libvirt.virEventRunDefaultImpl()
    for each in happened: print("  ", each)
    happened.clear()
dom.suspend(); dom.resume(); drain(2)
dom.setMetadata(1, "title here", None, None, 0); drain(1)
dom.setMetadata(2, "<a/>", "k", "http://x", 0); drain(1)
conn.networkLookupByName("default").destroy(); drain(1)
p = conn.storagePoolLookupByName("default-pool"); p.refresh(0); drain(1)
dom.destroy(); drain(1)
dom.create(); drain(1)
snap = dom.snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>", 0)
dom.destroy(); dom.revertToSnapshot(snap, 0); drain(2)
act("dereg", conn.domainEventDeregisterAny, ids[0]); act("dereg", conn.domainEventDeregisterAny, ids[0]); act("dereg", conn.domainEventDeregisterAny, 1000); act("dereg", conn.domainEventDeregisterAny, -1)
m = act("good", conn.domainEventRegister, lambda c, d, e, f, o: happened.append((d.name(), e, f, o)), "old")
sys.stderr.flush()
dom.suspend(); drain(1)
bad = lambda *given: None
act("again", conn.domainEventRegister, bad, 1)
act("dereg none", conn.domainEventDeregister, print)
act("dereg", conn.domainEventDeregister, bad)
# timers and handles
log = []
a = libvirt.virEventAddTimeout(-1, lambda t, o: log.append(("a", o)), "A")
b = libvirt.virEventAddTimeout(0, lambda t, o: log.append(("b", o)), "B")
while len(log) < 3: libvirt.virEventRunDefaultImpl()
print(log[:3]); del log[:]
libvirt.virEventUpdateTimeout(b, -1); libvirt.virEventUpdateTimeout(a, 10)
while len(log) < 2: libvirt.virEventRunDefaultImpl()
print(log[:2]); act("rm", libvirt.virEventRemoveTimeout, a); act("rm", libvirt.virEventRemoveTimeout, a)
r, w = os.pipe(); del log[:]
def cb(watch, fd, events, opaque):
    log.append((fd == r or fd == w, events, opaque))
h = libvirt.virEventAddHandle(w, libvirt.VIR_EVENT_HANDLE_WRITABLE, cb, (1, 2))
while not log: libvirt.virEventRunDefaultImpl()
print(log[0]); libvirt.virEventUpdateHandle(h, 0); libvirt.virEventRemoveHandle(h); del log[:]
h = libvirt.virEventAddHandle(r, libvirt.VIR_EVENT_HANDLE_READABLE | libvirt.VIR_EVENT_HANDLE_HANGUP, cb, None)
os.close(w)
while not log: libvirt.virEventRunDefaultImpl()
print(log[0]); libvirt.virEventRemoveHandle(h)
act("h bad fd", libvirt.virEventAddHandle, -1, 1, cb, None)
act("close", conn.registerCloseCallback, lambda c, reason, o: print("closed", reason, o), 3)
del snap, p
print(conn.close())
"""
