"""
Reading scenarios: from TOML, from a dictionary of the same form, from the parameters of a URI.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pyvirt.definitions.units import scale
from pyvirt.drivers.interfaces.faults import CallNames
from pyvirt.drivers.test.scenario.model import (
    ACTIONS,
    Change,
    Fault,
    Job,
    Latency,
    Scenario,
    Storm,
    Template,
)
from pyvirt.drivers.test.scenario.telling import told
from pyvirt.drivers.test.scenario.values import (
    Duration,
    Patterns,
    Table,
    duration,
    near,
    numbered,
    wrong,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError

__all__ = ["readFault", "readFile", "readParameters", "readScenario", "readStorm", "readText"]

MAKERS = (
    "seed",
    "domains",
    "running",
    "networks",
    "pools",
    "volumes",
    "latency",
    "time",
    "keep",
)
"""Parameters of a URI that say what a world is."""

CONTROLS = ("advance", "arm", "disarm", "storm", "forget", "report")
"""Parameters of a URI that do something with a world, rather than say what it is."""

_PARAMETERS = (*MAKERS, *CONTROLS, "scenario")

LARGEST = 1 << 20
"""The size of a scenario file, in bytes, that is still read."""

MOST = 1_000_000
"""How many objects of one kind a scenario may make."""

STATES = {
    "domains": ("running", "paused", "shutoff", "crashed", "pmsuspended"),
    "networks": ("active", "inactive"),
    "pools": ("active", "inactive"),
    "volumes": ("there",),
}
JOB_CALLS = (
    "domainSave*",
    "domainManagedSave",
    "domainCoreDump*",
    "domainMigratePerform*",
    "domainRestore*",
)
CHANGES = {
    "domain": (
        "start",
        "destroy",
        "shutdown",
        "crash",
        "suspend",
        "resume",
        "undefine",
        "reboot",
    ),
    "network": ("start", "destroy", "undefine"),
    "pool": ("start", "destroy", "undefine"),
}
TARGETED = ("arm", "disarm", "storm")


def readFile(path: str, callNames: CallNames | None = None) -> Scenario:
    """
    Read a scenario file.

    @param callNames: tells what calls there are; None: calls may be called anything.
    @raise VirtError: it cannot be read, or says something impossible.
    """
    try:
        # A pipe without a writer must not hold us up.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise wrong(path, "this is no regular file")
            if about.st_size > LARGEST:
                raise wrong(path, f"the file is larger than {LARGEST} bytes")
            data = file.read(LARGEST + 1)
    except OSError as problem:
        raise wrong(path, problem.strerror or "the file cannot be read") from None
    return readText(data, path, callNames)


def readText(text: str | bytes, name: str = "", callNames: CallNames | None = None) -> Scenario:
    """
    Read a scenario written in TOML.

    @param name: what it is called in errors.
    @raise VirtError: it is no TOML, or says something impossible.
    """
    try:
        value = tomllib.loads(text if isinstance(text, str) else text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        reason = str(problem) if isinstance(problem, tomllib.TOMLDecodeError) else "this is no TOML"
        raise wrong(name or "the text", reason) from None
    return readScenario(value, name, callNames)


def readScenario(
    value: Mapping[str, Any], name: str = "", callNames: CallNames | None = None
) -> Scenario:
    """
    Read a scenario from what its TOML says.

    @raise VirtError: it says something impossible; the error names the key.
    """
    top = Table(name, value, callNames)
    virtual, start = top.take("time", _time, (False, 0.0))
    scenario = Scenario(
        callNames=callNames,
        seed=top.count("seed", 0, -(1 << 63), 1 << 63),
        base=top.text("base", "default"),
        keep=top.flag("keep"),
        virtual=virtual,
        start=start,
        templates=tuple(
            _template(kind, each)
            for kind in ("networks", "pools", "domains")
            for each in top.tables(kind)
        ),
        latencies=tuple(_latency(each) for each in top.tables("latency")),
        faults=tuple(
            readFault(each, f"fault{number}") for number, each in enumerate(top.tables("faults"), 1)
        ),
        jobs=tuple(_job(each) for each in top.tables("jobs")),
        storms=tuple(
            readStorm(each, f"storm{number}") for number, each in enumerate(top.tables("storms"), 1)
        ),
        changes=tuple(_change(each) for each in top.tables("changes")),
    )
    top.end()
    if scenario.base not in ("default", "empty") and not scenario.base.startswith("/"):
        top.refuse("base", "write 'default', 'empty' or the absolute path of a host's file")
    _checkNames(scenario, name)
    return scenario


def _checkNames(scenario: Scenario, where: str) -> None:
    """Refuse names that mean two things, and names that mean nothing."""
    faults = [each.name for each in scenario.faults]
    storms = [each.name for each in scenario.storms]
    for names in (faults, storms):
        for each in names:
            if names.count(each) > 1:
                raise wrong(where or "the scenario", f"the name '{each}' is given twice")
    for change in scenario.changes:
        known = storms if change.action == "storm" else faults
        if change.target is not None and change.target not in known:
            raise wrong(where or "the scenario", f"there is nothing called '{change.target}'")


def _time(where: str, value: Any) -> tuple[bool, float]:
    table = Table(where, value)
    virtual = table.one("mode", ("real", "virtual"), "real") == "virtual"

    def moment(where: str, value: Any) -> float:
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            seconds = aware.timestamp()
        elif isinstance(value, bool | date) or not isinstance(value, int | float):
            raise wrong(where, "seconds since 1970 or a date and time are expected")
        else:
            seconds = value
        if not 0 <= seconds < 1 << 33:
            raise wrong(where, f"the time must be in range 0:{(1 << 33) - 1} seconds")
        return float(seconds)

    start = table.take("start", moment, 0.0)
    table.end()
    return virtual, start


def _states(kind: str, table: Table) -> tuple[tuple[str, float], ...]:
    known = STATES[kind]

    def read(where: str, value: Any) -> tuple[tuple[str, float], ...]:
        if isinstance(value, str):
            value = {value: 1}
        weights = Table(where, value)
        found = [(state, weights.number(state, 0.0, 0, 1e9)) for state in known]
        weights.end()
        if not sum(weight for _, weight in found):
            raise wrong(where, "no state has a weight above 0")
        return tuple(each for each in found if each[1])

    return table.take("state", read, ((known[0], 1.0),))


def _size(unit: int, highest: int) -> Any:
    def read(where: str, value: Any) -> int:
        if isinstance(value, str):
            number, _, suffix = value.strip().partition(" ")
            try:
                value = scale(int(number[:20]), suffix.strip(), unit) // unit
            except (ValueError, VirtError):
                raise wrong(where, f"'{value}' is no size; write '512 MiB'") from None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
            raise wrong(where, f"{value!r} is no size in range 1:{highest}")
        return value

    return read


def _template(kind: str, table: Table) -> Template:
    count = table.count("count", 1, 0, MOST)
    plain = {"domains": "vm-{n}", "networks": "net-{n}", "pools": "pool-{n}", "volumes": "vol-{n}"}
    name = table.text("name", plain[kind])
    _checkName(table, name, count)
    xml = table.text("xml")
    template = Template(
        kind=kind,
        name=name,
        count=count,
        first=table.count("first", 1, 0, MOST),
        states=_states(kind, table) if kind != "volumes" else (("there", 1.0),),
        autostart=table.flag("autostart") if kind != "volumes" else False,
        transient=table.flag("transient") if kind == "domains" else False,
        xml=xml,
        memory=table.take("memory", _size(1024, 1 << 40), 524288) if kind == "domains" else 0,
        vcpus=table.count("vcpus", 1, 1, 4096) if kind == "domains" else 0,
        capacity=table.take("capacity", _size(1, 1 << 62), 1 << 30) if kind == "volumes" else 0,
        volumes=tuple(_template("volumes", each) for each in table.tables("volumes"))
        if kind == "pools"
        else (),
    )
    table.end()
    if template.transient and any(state == "shutoff" for state, _ in template.states):
        table.refuse("transient", "a domain that is shut off cannot be transient")
    return template


def _checkName(table: Table, name: str, count: int) -> None:
    first, second = (numbered(name, n) for n in (1, 2))
    if "{" in first or "}" in first:
        table.refuse("name", f"'{name}' is no pattern; write {{n}} or {{n:04}} for the number")
    if count > 1 and first == second:
        table.refuse("name", f"'{name}' is the same name {count} times; write {{n}} for the number")
    if len(first) > 255 or "/" in first or "\n" in first:
        table.refuse("name", f"'{first[:40]}' is no name for an object")


def _latency(table: Table) -> Latency:
    latency = Latency(
        calls=table.calls("calls"),
        objects=table.patterns("objects"),
        time=table.time("time", Duration("constant", 0.0)),
    )
    table.end()
    return latency


def _number(enumeration: Any, what: str, lowest: int) -> Any:
    def read(where: str, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value < 1 << 31:
            return value
        name = value.upper() if isinstance(value, str) else ""
        for prefix in ("VIR_ERR_", "VIR_WAR_", "VIR_FROM_"):
            name = name.removeprefix(prefix)
        try:
            found = int(enumeration[name])
        except KeyError:
            raise wrong(
                where, f"{value!r} is no {what}{near(name, (each.name for each in enumeration))}"
            ) from None
        if found < lowest:
            raise wrong(where, f"{value!r} is no {what}")
        return found

    return read


_code = _number(ErrorCode, "code of an error (VIR_ERR_OPERATION_FAILED)", 1)
_domain = _number(ErrorDomain, "reporting part (VIR_FROM_QEMU)", 0)


def readFault(table: Table, name: str) -> Fault:
    """
    Read a fault.

    @param name: what it is called unless it says so itself.
    @raise VirtError: it says something impossible.
    """
    action = table.one("action", ACTIONS, "error")
    when = table.one("when", ("before", "after"), "before")
    if action in ("cut", "garble") and table.has("when"):
        table.refuse("when", f"{action} needs a reply, so the call is always carried out")
    errors = action == "error"
    fault = Fault(
        name=table.text("name", name),
        calls=table.calls("calls"),
        objects=table.patterns("objects"),
        action=action,
        code=table.take("code", _code, 1) if errors else 1,
        domain=table.take("domain", _domain, 12) if errors else 12,
        detail=table.text("detail") if errors else None,
        text=table.text("text") if errors else None,
        skip=table.count("skip", 0),
        times=table.count("times", None),
        probability=table.number("probability", 1.0, 0, 1),
        after=when == "after",
        time=table.time("time"),
        armed=table.flag("armed", True),
        share=table.number("share", 0.5, 0, 1) if action == "cut" else 0.5,
    )
    table.end()
    if action == "delay" and fault.time is None:
        table.refuse("time", "a delay takes some time")
    if fault.text is not None and fault.detail is not None:
        table.refuse("text", "either the whole text is given or its detail")
    return fault


def _job(table: Table) -> Job:
    job = Job(
        calls=table.calls("calls") or Patterns(JOB_CALLS, True),
        objects=table.patterns("objects"),
        time=table.time("time", Duration("constant", 10.0)),
        total=table.take("total", _size(1, 1 << 62), 1 << 30),
        failAt=table.number("fail_at", 1.0, 0, 1) if table.has("fail_at") else None,
        probability=table.number("probability", 1.0, 0, 1),
        code=table.take("code", _code, 9),
        text=table.text("text"),
    )
    table.end()
    return job


def readStorm(table: Table, name: str) -> Storm:
    """As L{readFault}, for a storm."""

    def read(where: str, value: Any) -> tuple[Any, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list | tuple) or not values:
            raise wrong(where, "an event or a list of events is expected")
        if not all(isinstance(each, str) for each in values):
            raise wrong(where, "events are named by text")
        return tuple(told(where, each) for each in values)

    storm = Storm(
        name=table.text("name", name),
        events=table.take("events", read, (told("", "lifecycle:started"),)),
        objects=table.patterns("objects"),
        at=table.time("at"),
        rate=table.number("rate", 100.0, 1e-3, 1e6),
        count=table.count("count", 100, 1, 10_000_000),
        burst=table.count("burst", 1, 1, 100_000),
    )
    table.end()
    if len({each.kind for each in storm.events}) > 1:
        table.refuse("events", "the events of one storm are about one kind of objects")
    return storm


def _change(table: Table) -> Change:
    kind = table.one("kind", tuple(CHANGES), "domain")
    action = table.text("action")
    if action not in (*CHANGES[kind], *TARGETED):
        table.refuse("action", f"{action!r} is none of {', '.join((*CHANGES[kind], *TARGETED))}")
    change = Change(
        action=action,
        kind=kind,
        objects=table.patterns("objects"),
        target=table.text("target") if action in TARGETED else None,
        at=table.time("at", Duration("constant", 0.0)),
        every=table.time("every"),
        times=table.count("times", None, 1),
    )
    table.end()
    if action in TARGETED and change.target is None:
        table.refuse("target", f"{action} needs the name of what is meant")
    if change.every is not None and change.every.constant and change.every.first < 1e-3:
        table.refuse("every", "the time must be at least 1ms")
    return change


def readParameters(parameters: Sequence[tuple[str, str]]) -> Scenario:
    """
    Read a scenario that is written as parameters of a URI.

    @raise VirtError: a parameter is not known, or its value means nothing.
    """
    said: dict[str, str] = {}
    for name, value in parameters:
        if name not in MAKERS:
            raise wrong(
                name,
                f"there is no such parameter{near(name, _PARAMETERS)}; "
                f"there are {', '.join(_PARAMETERS)}",
            )
        if name in said:
            raise wrong(name, "the parameter is given twice")
        said[name] = value
    numbers = {
        name: _whole(
            name, said[name], -(1 << 63) if name == "seed" else 0, _HIGHEST.get(name, MOST)
        )
        for name in ("seed", "domains", "running", "networks", "pools", "volumes")
        if name in said
    }
    if said.get("time", "real") not in ("real", "virtual"):
        raise wrong("time", f"'{said['time']}' is none of real, virtual")
    if said.get("keep", "0") not in ("0", "1"):
        raise wrong("keep", f"'{said['keep']}' is neither 0 nor 1")
    domains = numbers.get("domains", 0)
    running = numbers.get("running", domains)
    if running > domains:
        raise wrong("running", f"{running} of {domains} domains cannot run")
    if numbers.get("pools", 0) * numbers.get("volumes", 0) > _VOLUMES:
        raise wrong(
            "volumes", f"there may be {_VOLUMES} in all pools together; a file may say more"
        )
    templates = [
        Template(kind="networks", name="net-{n}", count=numbers.get("networks", 0), states=_ACTIVE),
        Template(
            kind="pools",
            name="pool-{n}",
            count=numbers.get("pools", 0),
            states=_ACTIVE,
            volumes=(Template(kind="volumes", name="vol-{n}", count=numbers.get("volumes", 0)),),
        ),
        Template(kind="domains", name="vm-{n}", count=running),
        Template(
            kind="domains",
            name="vm-{n}",
            count=domains - running,
            first=running + 1,
            states=(("shutoff", 1.0),),
        ),
    ]
    return Scenario(
        seed=numbers.get("seed", 0),
        keep=said.get("keep") == "1",
        virtual=said.get("time") == "virtual",
        templates=tuple(each for each in templates if each.count),
        latencies=(Latency(time=duration("latency", said["latency"])),)
        if "latency" in said
        else (),
    )


_ACTIVE = (("active", 1.0),)
#: What a client of a daemon may ask for: as much as is made while others hardly notice.
_HIGHEST = {
    "seed": 1 << 63,
    "domains": 20_000,
    "running": 20_000,
    "networks": 1000,
    "pools": 1000,
    "volumes": 1000,
}
_VOLUMES = 5000


def _whole(name: str, text: str, lowest: int, highest: int) -> int:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20:
        raise wrong(name, f"'{text[:40]}' is no whole number")
    if not lowest <= int(text) <= highest:
        raise wrong(name, f"{text} is not in range {lowest}:{highest}")
    return int(text)
