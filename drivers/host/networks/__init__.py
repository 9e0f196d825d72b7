"""
Networks of the host: bridges with a name server that lends addresses, and rules that say where packets may go.

L{network} is what is known of a network, L{bridges} makes bridges, L{dnsmasq} writes configurations, L{firewall}
writes rules, L{running} starts and stops, L{networks} has the operations.
"""
