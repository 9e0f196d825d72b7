"""
Network filters in force: what the rules of a filter become for one device of a guest, and how the kernel gets them.

Frames are looked at by C{ebtables}, packets by C{iptables} and C{ip6tables}, in chains that are named after the device.
"""
