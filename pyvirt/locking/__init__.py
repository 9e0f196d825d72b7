"""
Resource locks: no two guests open one writable disk, on this host or another.

- L{pyvirt.locking.plugin}: what a driver asks before it starts a guest; plugins are found by entry points.
- L{pyvirt.locking.lockd}: leases that a lock daemon holds, libvirt's virtlockd or ours.
- L{pyvirt.locking.etcd}: leases in an etcd store, for hosts that share storage.
- L{pyvirt.locking.space}, L{server<pyvirt.locking.server>}, L{tap<pyvirt.locking.tap>}: our lock daemon,
  C{twistd pyvirt-lockd}.
"""
