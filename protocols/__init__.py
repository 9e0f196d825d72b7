"""
The wire, and nothing but the wire: bytes to values and back, and the Twisted protocols that carry them.

C{xdr}, C{framing} and C{message} turn bytes into values and do no IO; C{rpc}, C{keepalive}, C{streams} and
C{fds} are Twisted code on top; C{programs} holds one table of annotated stubs per RPC program.
"""
