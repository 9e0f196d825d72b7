"""
The daemon as a tool for testing: which drivers it has when the test driver is told more on the command line.
"""

from __future__ import annotations

import os

from pyvirt.confsyntax import ConfigError
from pyvirt.drivers.interfaces.driver import IDriverFactory

__all__ = ["testFactories"]


def testFactories(
    schemes: str | None, scenario: str | None, folder: str | None
) -> list[IDriverFactory] | None:
    """
    Make the drivers of a daemon that tests others.

    @param schemes: drivers that the test driver answers for, with commas between.
    @param scenario: the path of what C{test:///default} is, and the hosts of those drivers.
    @param folder: a folder whose scenario files clients may name.
    @return: None if nothing was said: the drivers that are installed.
    @raise ConfigError: there is no such driver, folder or file, or the file says something impossible.
    """
    if schemes is None and scenario is None and folder is None:
        return None
    from pyvirt.drivers.test import TestDriver
    from pyvirt.drivers.test.disguise import DISGUISES
    from pyvirt.drivers.test.scenario.reading import readFile
    from pyvirt.drivertable import loadFactories
    from pyvirt.errors import VirtError
    from pyvirt.routes.names import callNames

    names = [] if schemes is None else [each.strip() for each in schemes.split(",")]
    for name in names:
        if name not in DISGUISES:
            known = ", ".join(sorted(DISGUISES))
            raise ConfigError("--test-driver-for", 0, f"'{name}' is none of {known}")
    if folder is not None and not os.path.isdir(folder):
        raise ConfigError(f"--scenarios {folder}", 0, "there is no such folder")
    try:
        read = None if scenario is None else readFile(scenario, callNames)
    except VirtError as problem:
        raise ConfigError("--scenario", 0, str(problem.str2)) from None
    driver = TestDriver(scenario=read, schemes=names, folder=folder)
    others = [each for each in loadFactories(remote=False) if each.name not in ("test", *names)]
    return [driver, *others]
