"""The tests: trial finds them below this package, real peers are in L{tests.interop}."""
