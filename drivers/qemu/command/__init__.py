"""
From a definition to QEMU's command line: L{commandLine<pyvirt.drivers.qemu.command.building.commandLine>}, a pure function.

One module for each family of options; L{building} has the order in which they stand.  Each is loaded by who needs it.
"""
