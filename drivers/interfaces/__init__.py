"""
The contracts: what drivers promise, in terms that a driver's author thinks in.

One module per family of objects or operations.  A driver leaves out the interfaces whose operations it does
not have; a single operation missing from an interface is left out too and answers "not supported".  Every
method takes and returns plain values (L{pyvirt.drivers.interfaces.values}); it may answer at once, with a
C{Deferred} or as a coroutine, and fails with L{pyvirt.errors.VirtError}.

Methods bear the names of libvirt's C functions, the newest of each family without the C{vir}; what clients
of different ages call for the same thing meets in one method.

What holds everywhere, and is not repeated at each method:

 - The caller's right to ask is settled, and what libvirt's public functions refuse (absent arguments, flags that
   exclude each other, numbers out of range) does not arrive.
 - Objects are known by their UUID where they have one, else by name; the rest of a reference may be out of date.
   An object that is not there is refused with the error of its kind (C{NO_DOMAIN}, C{NO_NETWORK} ...), and so is
   what a method says it refuses C{here}: the word means the driver.
 - C{flags} is a bitwise-OR of the constants named.  Drivers refuse bits that they do not know: C{INVALID_ARG},
   C{unsupported flags (0x...) in function ...}.  C{none yet}: every bit is unknown.
 - C{VIR_DOMAIN_AFFECT_LIVE} is about the running guest and is refused while there is none, C{CONFIG} about the
   definition and is refused for transient domains; 0 (C{CURRENT}): the running guest if there is one, else the
   definition.
 - Typed parameters that change something are checked by the driver (L{pyvirt.params.validateParams}).  Getters are
   always told C{VIR_TYPED_PARAM_STRING_OKAY} where their flags have it: strings may be among the answers.
 - Truth among the arguments arrives as the number that the caller sent: 0 is false.
 - Descriptors among the arguments are closed once the method has answered; those in an answer are the caller's.
 - Times are in the units named, sizes in bytes unless KiB are named; UUIDs are 16 bytes; XML is text without an
   encoding declaration that matters.
 - An answer is complete when it comes: what the method does has happened, unless it says that it has only begun.
   Cancelling a C{Deferred} gives up waiting; what was begun may still happen.
"""
