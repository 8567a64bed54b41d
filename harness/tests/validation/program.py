"""A validator that is a program of its own: it answers each line with a line."""

from __future__ import annotations

import json
import shlex
import subprocess
from types import TracebackType
from typing import Self


class Program:
    """A validator outside, started on entry and ended on exit.

    It reads lines `{"us_core": "6.1.0", "resource": "JSON as text"}` and answers each, in order,
    with a line: an array of its objections, empty where it has none.

    Args:
        command: how it is started, words as in a shell.
    """

    def __init__(self, command: str) -> None:
        self._words = shlex.split(command)

    def __enter__(self) -> Self:
        self._running = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running.stdin is not None:
            self._running.stdin.close()
        self._running.wait(timeout=60)

    def judge(self, us_core: str, line: bytes) -> list[str]:
        """Returns its objections to one resource."""
        asked, answered = self._running.stdin, self._running.stdout
        assert asked is not None
        assert answered is not None
        asked.write(json.dumps({"us_core": us_core, "resource": line.decode()}) + "\n")
        asked.flush()
        return list(json.loads(answered.readline()))
