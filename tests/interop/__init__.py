"""
Tests against real peers: libvirtd, virsh and the stock Python binding, over real sockets.

The judge is libvirtd itself, started by the test with an empty driver folder, so that it has the test driver
alone and touches nothing of the host.  Where a peer is not installed its tests skip and say which.
"""
