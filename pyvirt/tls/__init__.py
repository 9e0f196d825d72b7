"""
Certificates and TLS for both ends: where files lie, what they must say, which versions and ciphers are taken.

Nothing here connects or listens: L{pyvirt.transports} and L{pyvirt.daemon} do, with the contexts made here.
"""
