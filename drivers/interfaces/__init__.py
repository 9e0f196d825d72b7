"""
The contracts: what drivers promise, in terms that a driver's author thinks in.

One module per family of objects or operations.  A driver leaves out the interfaces whose operations it does
not have; a single operation missing from an interface is left out too and answers "not supported".  Every
method takes and returns plain values (L{pyvirt.drivers.interfaces.values}); it may answer at once, with a
C{Deferred} or as a coroutine, and fails with L{pyvirt.errors.VirtError}.

Methods bear the names of libvirt's C functions, the newest of each family without the C{vir}; what clients
of different ages call for the same thing meets in one method.
"""
