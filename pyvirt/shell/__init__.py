"""
The command line, C{pyvirsh}: virsh's commands and virsh's output, on our own client.

A command is one small class (L{pyvirt.shell.command.Command}) that names its options and has an C{async def run};
everything else - reading command lines, help, tables, the connection, error reports, the interactive shell - is
here once.  What is printed, on which stream, with which exit status is virsh 9.0.0's, byte for byte, so scripts
written for it keep working.

Nothing is imported before it is needed: a help text or a mistyped command never loads the reactor.
"""
