"""
Storage of the host: pools of files in folders and on file systems, and the volumes in them.

L{pool} is what is known of a pool, L{backends} does what depends on its type, L{volumefiles} looks at files,
L{making} makes them, L{volumes} and L{pools} are the operations.
"""
