"""
Who may do what: the rules of the wire's tables, put as questions to policies that answer them.

Source: libvirt's access control objects and permissions.
"""
