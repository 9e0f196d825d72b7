"""
What is known of a long operation, in the terms of those who ask: from what C{query-migrate} says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import JobInfo, TypedParam
from pyvirt.drivers.qemu.jobs import LongJob

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["completedEvent", "jobInfo", "jobParams"]


def _number(values: dict[str, Any], name: str) -> int | None:
    found = values.get(name)
    return found if type(found) is int and found >= 0 else None


def jobParams(
    job: LongJob | None, statistics: dict[str, Any], elapsed: int, *, event: bool = False
) -> list[TypedParam]:
    """
    Write what is known as parameters.

    @param elapsed: milliseconds since it began.
    """
    ram = statistics.get("ram")
    ram = ram if isinstance(ram, dict) else {}
    out: list[TypedParam] = []
    if job is not None:
        out.append(_param(c.VIR_DOMAIN_JOB_OPERATION, "int", job.operation))
    out.append(_param(c.VIR_DOMAIN_JOB_TIME_ELAPSED, "ullong", elapsed))
    # While it goes on there is only what is expected.
    over = statistics.get("status") in (None, "completed")
    for name, value in (
        (
            c.VIR_DOMAIN_JOB_DOWNTIME,
            _number(statistics, "downtime" if over else "expected-downtime"),
        ),
        (c.VIR_DOMAIN_JOB_SETUP_TIME, _number(statistics, "setup-time")),
    ):
        if value is not None:
            out.append(_param(name, "ullong", value))
    backup = statistics.get("backup")
    if isinstance(backup, dict):
        return out + _backup(backup, event)
    total = _number(ram, "total")
    if total is None and isinstance(statistics.get("disks"), dict):
        total = 0
    if total is None:
        return out
    done, left = _number(ram, "transferred") or 0, _number(ram, "remaining") or 0
    rate = ram.get("mbps")
    pairs: list[tuple[str, str, int | None]] = [
        (c.VIR_DOMAIN_JOB_DATA_TOTAL, "ullong", total),
        (c.VIR_DOMAIN_JOB_DATA_PROCESSED, "ullong", done),
        (c.VIR_DOMAIN_JOB_DATA_REMAINING, "ullong", left),
        (c.VIR_DOMAIN_JOB_MEMORY_TOTAL, "ullong", total),
        (c.VIR_DOMAIN_JOB_MEMORY_PROCESSED, "ullong", done),
        (c.VIR_DOMAIN_JOB_MEMORY_REMAINING, "ullong", left),
        (
            c.VIR_DOMAIN_JOB_MEMORY_BPS,
            "ullong",
            int(rate * 125000) if isinstance(rate, int | float) and rate > 0 else None,
        ),
        (c.VIR_DOMAIN_JOB_MEMORY_CONSTANT, "ullong", _number(ram, "duplicate")),
        (c.VIR_DOMAIN_JOB_MEMORY_NORMAL, "ullong", _number(ram, "normal")),
        (c.VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES, "ullong", _number(ram, "normal-bytes")),
        (c.VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, "ullong", _number(ram, "dirty-pages-rate")),
        (c.VIR_DOMAIN_JOB_MEMORY_ITERATION, "ullong", _number(ram, "dirty-sync-count")),
        (c.VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS, "ullong", _number(ram, "postcopy-requests")),
        (c.VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, "ullong", _number(ram, "page-size")),
    ]
    out += [_param(name, kind, value) for name, kind, value in pairs if value is not None]
    disks = statistics.get("disks")
    if isinstance(disks, dict) and disks.get("whole"):
        whole, copied = disks["whole"], disks["done"]
        sums = {
            c.VIR_DOMAIN_JOB_DATA_TOTAL: whole,
            c.VIR_DOMAIN_JOB_DATA_PROCESSED: copied,
            c.VIR_DOMAIN_JOB_DATA_REMAINING: whole - copied,
        }
        out = [each._replace(value=each.value + sums.get(each.field, 0)) for each in out]
        out += [
            _param(c.VIR_DOMAIN_JOB_DISK_TOTAL, "ullong", whole),
            _param(c.VIR_DOMAIN_JOB_DISK_PROCESSED, "ullong", copied),
            _param(c.VIR_DOMAIN_JOB_DISK_REMAINING, "ullong", whole - copied),
        ]
    return out + _effort(statistics)


def _effort(statistics: dict[str, Any]) -> list[TypedParam]:
    """Write what was done so that the migration comes to an end: compression, and a slower guest."""
    out: list[TypedParam] = []
    cache = statistics.get("xbzrle-cache")
    if isinstance(cache, dict):
        out += [
            _param(name, "ullong", _number(cache, key) or 0)
            for name, key in (
                (c.VIR_DOMAIN_JOB_COMPRESSION_CACHE, "cache-size"),
                (c.VIR_DOMAIN_JOB_COMPRESSION_BYTES, "bytes"),
                (c.VIR_DOMAIN_JOB_COMPRESSION_PAGES, "pages"),
                (c.VIR_DOMAIN_JOB_COMPRESSION_CACHE_MISSES, "cache-miss"),
                (c.VIR_DOMAIN_JOB_COMPRESSION_OVERFLOW, "overflow"),
            )
        ]
    throttle = _number(statistics, "cpu-throttle-percentage")
    if throttle:
        out.append(_param(c.VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE, "int", throttle))
    return out


def _backup(backup: dict[str, Any], event: bool) -> list[TypedParam]:
    """Write what is known of a backup."""
    done, whole = backup["done"], backup["whole"]
    out: list[TypedParam] = []
    if backup["pull"]:
        if whole or not event:
            out = [
                _param(c.VIR_DOMAIN_JOB_DISK_TEMP_USED, "ullong", done),
                _param(c.VIR_DOMAIN_JOB_DISK_TEMP_TOTAL, "ullong", whole),
            ]
    elif whole:
        out = [
            _param(c.VIR_DOMAIN_JOB_DISK_TOTAL, "ullong", whole),
            _param(c.VIR_DOMAIN_JOB_DISK_PROCESSED, "ullong", done),
            _param(c.VIR_DOMAIN_JOB_DISK_REMAINING, "ullong", whole - done),
        ]
    if "success" in backup:
        word = int(bool(backup["success"]))
        out.append(TypedParam(c.VIR_DOMAIN_JOB_SUCCESS, c.VIR_TYPED_PARAM_BOOLEAN, word))
        if backup["problem"]:
            kind = c.VIR_TYPED_PARAM_STRING
            out.append(TypedParam(c.VIR_DOMAIN_JOB_ERRMSG, kind, backup["problem"]))
    return out


def _param(name: str, kind: str, value: int) -> TypedParam:
    kinds = {"int": c.VIR_TYPED_PARAM_INT, "ullong": c.VIR_TYPED_PARAM_ULLONG}
    return TypedParam(name, kinds[kind], value)


def jobInfo(type: int, statistics: dict[str, Any], elapsed: int) -> JobInfo:
    """Write what is known as libvirt's oldest clients ask for it."""
    ram = statistics.get("ram")
    ram = ram if isinstance(ram, dict) else {}
    backup = statistics.get("backup")
    if isinstance(backup, dict) and not backup["pull"]:
        whole, copied = backup["whole"], backup["done"]
        rest = whole - copied
        return JobInfo(type, elapsed, 0, whole, copied, rest, 0, 0, 0, whole, copied, rest)
    total, done, left = (_number(ram, each) or 0 for each in ("total", "transferred", "remaining"))
    disks = statistics.get("disks")
    if isinstance(disks, dict):
        whole, copied = disks["whole"], disks["done"]
        rest = whole - copied
        sums = (total + whole, done + copied, left + rest)
        return JobInfo(type, elapsed, 0, *sums, total, done, left, whole, copied, rest)
    return JobInfo(type, elapsed, 0, total, done, left, total, done, left, 0, 0, 0)


def completedEvent(hypervisor: Hypervisor, domain: Domain, job: LongJob) -> None:
    """Tell that a long operation is complete, and keep what is known of it for those who ask later."""
    elapsed = int((hypervisor.clock.seconds() - job.started) * 1000)
    domain.jobs.completed = {
        "operation": job.operation,
        "elapsed": elapsed,
        "statistics": job.statistics,
    }
    params = jobParams(job, job.statistics, elapsed)
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, params)
