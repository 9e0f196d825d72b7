"""
The interactive shell: a prompt, a line, its commands, the next prompt.

On a terminal prompt-toolkit edits lines when it is installed, else the terminal itself does.  When standard input
is no terminal, lines are printed behind the prompt as they are read, as a terminal would have shown them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from pyvirt.shell.parsing import Syntax

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred

    from pyvirt.shell.session import Session

__all__ = ["interact"]

_WELCOME = """\
Welcome to {program}, the virtualization interactive terminal.

Type:  'help' for help with commands
       'quit' to quit

"""


async def interact(session: Session) -> None:
    """Read and run lines until there are no more, or one says to quit."""
    from pyvirt.shell.session import Quit

    session.interactive = True
    session.remark(_WELCOME.format(program=session.settings.program))
    readLine = _reader(session)
    while True:
        session.streams.flush()
        line = await readLine("virsh > " if session.readOnly else "virsh # ")
        if line is None:
            break
        if not line:
            continue
        try:
            await session.execute(session.read(line))
        except Syntax as error:
            session.reportSyntax(error)
        except Quit:
            break
    session.output("\n")


def _reader(session: Session) -> Callable[[str], Deferred[str | None]]:
    """Choose the way to read lines; each call gives one, or None at the end."""
    from twisted.internet.threads import deferToThread

    if not sys.stdin.isatty():

        def plain(prompt: str) -> Deferred[str | None]:
            session.output(prompt)
            return deferToThread(sys.stdin.buffer.readline).addCallback(shown)

        def shown(data: bytes) -> str | None:
            if not data:
                return None
            line = os.fsdecode(data.rstrip(b"\n"))
            session.output(line + "\n")
            return line

        return plain
    edited = _editor()

    def typed(prompt: str) -> Deferred[str | None]:
        return deferToThread(edited, prompt)

    return typed


def _editor() -> Callable[[str], str | None]:
    """Give a function that lets the user edit a line; it blocks, and is called in a thread."""
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
    except ImportError:
        return _ask
    from pyvirt.shell.registry import GROUPS

    names = [name for group in GROUPS for name, _ in group.commands]
    prompt: Any = PromptSession(completer=WordCompleter(names, sentence=True))

    def edit(text: str) -> str | None:
        while True:
            try:
                line: str = prompt.prompt(text)
                return line
            except EOFError:
                return None
            except KeyboardInterrupt:
                # The line is dropped, as shells do.
                continue

    return edit


def _ask(prompt: str) -> str | None:
    try:
        # Editing and history, where Python has them.
        import readline  # noqa: F401
    except ImportError:
        pass
    try:
        return input(prompt)
    except EOFError:
        return None
