"""
Drivers: each makes one kind of host or hypervisor look like all the others.

C{interfaces} holds the contracts; every other package here is a driver.
"""
