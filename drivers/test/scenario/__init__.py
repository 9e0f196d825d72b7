"""
Scenarios: worlds of the test driver for those who test programs.

A scenario says what there is (thousands of domains from a template), what goes wrong (faults, latency, slow jobs),
what happens by itself (changes and storms of events) and whose clock it lives by.  It is written as a file, as
parameters of a URI or as a Python dictionary, always in the same words: L{model<pyvirt.drivers.test.scenario.model>}.
"""
