"""
What a scenario has done, for whoever has no Python at hand: in the place of the capabilities of a connection that
was opened with C{report=1}.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from pyvirt.drivers.test.scenario.running import Running

__all__ = ["Report", "reportXML"]


_QUOTE = {"'": "&apos;"}


def reportXML(running: Running) -> str:
    """Write the status of a scenario."""
    status = running.status()
    out = [f"<scenario>\n  <time>{status['time']:.6f}</time>\n"]
    out.append(f"  <events>{status['events']}</events>\n")
    for name, fault in status["faults"].items():
        armed = "yes" if fault["armed"] else "no"
        out.append(
            f"  <fault name='{escape(name, _QUOTE)}' armed='{armed}' seen='{fault['seen']}'"
            f" struck='{fault['struck']}'/>\n"
        )
    out.append("</scenario>\n")
    return "".join(out)


class Report:
    """The host of a connection that was opened for the report; the rest is the world's."""

    def __init__(self, running: Running, inner: Any) -> None:
        self._running = running
        self._inner = inner

    def connectGetCapabilities(self) -> str:
        """Tell what the scenario has done."""
        return reportXML(self._running)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
