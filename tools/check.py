"""
All checks of this checkout, one after the other: formatting, lint, types, tests.

The last line printed is C{N passed, N failed, N skipped}: tests, and the three checks before them as one each.
A comparison with a real peer that failed in a run of all is made once more, alone: on a busy machine two daemons can
differ in when they do a thing.  If it passes then, it is named as unsteady, for somebody to mend, and not counted as
failed.

Exits with 1 if anything failed.  With C{CI} in the environment a skip that C{tests/expected_skips.txt} does not
explain is a failure as well.

Arguments are passed to trial in place of C{tests}: C{tools/check.py tests.test_xdr}.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = sys.executable
RULE = re.compile(r"(?m)^={79}\n")
TEST = re.compile(r"^[A-Za-z_][\w.]*\.\w+$")
#: Warnings are errors; but for those of Python that Twisted's own plugins meet when twistd lists them.
WARNINGS = ",".join(
    ["error", *(f"ignore:'{name}' is deprecated:DeprecationWarning" for name in ("spwd", "crypt"))]
)
#: Where tests live that run real peers; all others have no excuse.
PEERS = ("tests.interop.", "tests.test_guides.")
#: As many may be unsteady in one run; if more fail, something is broken.
UNSTEADY = 8
COUNT = re.compile(r"(\w+)=(\d+)")


def heading(text: str) -> None:
    """Say what comes."""
    print(f"--- {text}", flush=True)


def check(name: str, *command: str) -> bool:
    """Run one of the static checks; its output goes where ours goes."""
    heading(name)
    return subprocess.run([PYTHON, "-m", *command], cwd=TOP).returncode == 0


def trial(targets: list[str], jobs: int) -> tuple[int, str]:
    """
    Run trial in as many processes, passing on what it prints as it comes.

    Warnings are errors, in the tests, in trial's workers and in the daemons that tests start.

    @return: its exit status and all its output.
    """
    process = subprocess.Popen(
        [PYTHON, "-m", "twisted.trial", *([f"--jobs={jobs}"] if jobs > 1 else []), *targets],
        cwd=TOP,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONWARNINGS": WARNINGS, "PYTHONPATH": TOP},
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        sys.stdout.write(line)
        sys.stdout.flush()
    return process.wait(), "".join(lines)


def counts(output: str, status: int) -> tuple[int, int, int]:
    """
    Read how many tests passed, failed and were skipped from trial's closing line.

    No such line, or a failing status without a failure, is one failure: trial itself broke.
    """
    closing = re.findall(r"(?m)^(?:PASSED|FAILED)(?: \((.*)\))?$", output)
    found = {name: int(number) for name, number in COUNT.findall(closing[-1])} if closing else {}
    passed = found.get("successes", 0) + found.get("expectedFailures", 0)
    failed = found.get("failures", 0) + found.get("errors", 0) + found.get("unexpectedSuccesses", 0)
    if not failed and (status or not passed):
        failed = 1
    return passed, failed, found.get("skips", 0)


def ended(output: str, *outcomes: str) -> list[tuple[str, str]]:
    """The tests that ended so, with what trial's closing blocks say of them."""
    found = []
    for block in RULE.split(output):
        if block.startswith(tuple(f"[{each}]\n" for each in outcomes)):
            lines = re.split(r"(?m)^-{79}$", block)[0].strip().splitlines()[1:]
            names = [line for line in lines if TEST.match(line)]
            reason = " ".join(line for line in lines if line and not TEST.match(line))
            found += [(name, reason) for name in names]
    return found


def unsteady(output: str, failed: int) -> list[str]:
    """Ask once more, alone, what failed; return the names of what passes then."""
    names = sorted({name for name, _ in ended(output, "FAIL", "ERROR")})
    if not names or failed > UNSTEADY or not all(name.startswith(PEERS) for name in names):
        return []
    heading("what failed, once more")
    status, output = trial(names, 1)
    passed, failed, _ = counts(output, status)
    return names if passed >= len(names) and not failed else []


def expectedSkips() -> list[str]:
    """Names of tests, or of what contains them, that may be skipped anywhere."""
    with open(os.path.join(TOP, "tests", "expected_skips.txt")) as file:
        entries = [line.partition("#")[0].strip() for line in file]
    return [entry.partition(":")[0].strip() for entry in entries if entry]


def main(targets: list[str]) -> int:
    """Run everything, print the counts, return the exit status."""
    started = time.monotonic()
    passed = failed = skipped = 0
    if not targets:
        results = [
            check("formatting", "ruff", "format", "--check", "."),
            check("lint", "ruff", "check", "."),
            check("types", "mypy"),
        ]
        passed, failed = results.count(True), results.count(False)
    heading("tests")
    status, output = trial(targets or ["tests"], max(1, min(os.cpu_count() or 1, 4)))
    ofTests = counts(output, status)
    again = unsteady(output, ofTests[1]) if ofTests[1] and not targets else []
    if again:
        ofTests = (ofTests[0] + ofTests[1], 0, ofTests[2])
    passed, failed, skipped = (
        one + other for one, other in zip((passed, failed, skipped), ofTests, strict=True)
    )
    expected = expectedSkips()
    unexpected = [
        (name, reason)
        for name, reason in ended(output, "SKIPPED")
        if not any(name == each or name.startswith(each + ".") for each in expected)
    ]
    heading(f"{time.monotonic() - started:.0f} seconds")
    for name in again:
        print(f"unsteady, passed when asked again: {name}")
    if os.environ.get("CI"):
        for name, reason in unexpected:
            print(f"skipped, which CI does not expect: {name}: {reason}")
        failed += len(unexpected)
        skipped -= len(unexpected)
    summary = f"{passed} passed, {failed} failed, {skipped} skipped"
    with open(os.path.join(sys.prefix, "last-counts"), "w") as file:
        file.write(summary + "\n")
    print(summary, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
