"""
Which world a URI means, and what is to be done with it: the parameters of the test driver's URIs.

What a world is made of is part of its identity: connections that name the same share one.  What is done with it
(its time moved, faults armed) is done when a connection is opened, and is no part of what the URI says afterwards.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import attrs

from pyvirt.drivers.interfaces.faults import CallNames
from pyvirt.drivers.test.scenario.model import Scenario
from pyvirt.drivers.test.scenario.reading import CONTROLS, MAKERS, readFile, readParameters
from pyvirt.drivers.test.scenario.values import LONGEST, duration, wrong
from pyvirt.uri import URI

if TYPE_CHECKING:
    from pyvirt.drivers.test.scenario.running import Running

__all__ = ["Wanted", "isMeant", "wanted"]

_OURS = frozenset((*MAKERS, *CONTROLS, "scenario"))

MOST = 64
"""How many parameters are looked at."""


@attrs.frozen(kw_only=True)
class Wanted:
    """
    What a URI asks for.

    @ivar uri: the URI without what is to be done.
    @ivar path: of a scenario file, None: it names none.
    @ivar parameters: of which a world is made, sorted.
    @ivar controls: what is to be done, in order.
    """

    uri: URI
    path: str | None
    parameters: tuple[tuple[str, str], ...]
    controls: tuple[tuple[str, str], ...]

    @property
    def key(self) -> tuple[str, str | None, tuple[tuple[str, str], ...]]:
        """What tells its world from others."""
        return ("default" if self.path is None else "scenario", self.path, self.parameters)

    @property
    def reports(self) -> bool:
        """Whether the connection is to tell what the scenario has done."""
        return any(name == "report" for name, _ in self.controls)

    def read(self, callNames: CallNames | None = None) -> Scenario:
        """
        Read the scenario; files are read now.

        @param callNames: tells what calls there are.
        @raise VirtError: it says something impossible.
        """
        if self.path is None:
            return attrs.evolve(readParameters(self.parameters), callNames=callNames)
        scenario = readFile(self.path, callNames)
        if self.parameters:
            said = readParameters(self.parameters)
            scenario = attrs.evolve(
                scenario,
                seed=said.seed if _named("seed", self.parameters) else scenario.seed,
                keep=said.keep if _named("keep", self.parameters) else scenario.keep,
                virtual=said.virtual if _named("time", self.parameters) else scenario.virtual,
                templates=scenario.templates + said.templates,
                latencies=said.latencies + scenario.latencies,
            )
        return scenario

    def control(self, running: Running) -> bool:
        """
        Do what is to be done.

        @return: whether the world is to be forgotten.
        @raise VirtError: it cannot be done; what stands before it has been.
        """
        forget = False
        for name, value in self.controls:
            if name == "advance":
                time = duration("advance", value)
                if not time.constant or not math.isfinite(time.first) or time.first > LONGEST:
                    raise wrong("advance", f"'{value}' is no time")
                running.advance(time.first)
            elif name == "storm":
                running.storm(value)
            elif name in ("forget", "report"):
                if value != "1":
                    raise wrong(name, f"'{value}' is not 1")
                forget = forget or name == "forget"
            else:
                running.arm(value, name == "arm")
        return forget


def _named(name: str, parameters: tuple[tuple[str, str], ...]) -> bool:
    return any(each == name for each, _ in parameters)


def isMeant(uri: URI) -> bool:
    """Whether any parameter of a URI is one of ours; those of a URI without are ignored, as libvirt does."""
    return any(name in _OURS for name, _ in uri.parameters)


def wanted(uri: URI) -> Wanted:
    """
    Read the parameters of a URI.

    @raise VirtError: there are too many of them, or the path of a scenario is not absolute.
    """
    if len(uri.parameters) > MOST:
        raise wrong("the URI", f"it has more than {MOST} parameters")
    path = uri.path if uri.path.endswith(".toml") and uri.driver == "test" else None
    made, controls = [], []
    for name, value in uri.parameters:
        if name == "scenario":
            if path is not None:
                raise wrong("scenario", "a scenario is named twice")
            if not value.startswith("/") or "\0" in value:
                raise wrong("scenario", f"'{value}' is no absolute path")
            path = value
        elif name in CONTROLS:
            controls.append((name, value))
        else:
            made.append((name, value))
    kept = tuple(each for each in uri.parameters if each[0] not in CONTROLS)
    return Wanted(
        uri=uri if not controls else attrs.evolve(uri, parameters=kept),
        path=None if path is None else os.path.normpath(path),
        parameters=tuple(sorted(made)),
        controls=tuple(controls),
    )
