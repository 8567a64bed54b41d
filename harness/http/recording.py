"""A redacted recording of a run, and the transport that answers from it.

`recording.jsonl`: a header line (format, EHR file, versions, clock), one line for each attempt,
keyed by act and step within the act, and a footer line with their count and what the client drew
by chance. Nothing in it is secret. A file without its footer is refused.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.config.ehr import Limits
from harness.errors import HostileInput, UsageError
from harness.http.clock import ManualClock
from harness.http.entropy import Draw
from harness.http.evidence import Unanswered, current_act
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.redaction import Redactor
from harness.http.transport import Answer, NoAnswerError

FORMAT = "fhir-harness recording"
VERSION = 1
_SECRET = 22
"""Characters of base64url that 128 bits take; what is drawn to be secret is no shorter."""
UNPACED = Limits(requests_per_second=1e6, concurrency=64, burst=1000)
"""Limits for a replay, which has no server to spare."""


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt, redacted; `response` is None when no answer came."""

    act: str
    request: Request
    response: Response | None
    started_at: datetime
    seconds: float
    attempt: int = 1
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run.

    Attributes:
        about: what the run wrote about itself: `ehr` (the EHR file as parsed), `versions`, more.
        clock: when it began, UTC.
        steps: its attempts, in order.
        drawn: what the client drew by chance, redacted, in order.
    """

    about: Mapping[str, Any]
    clock: datetime
    steps: tuple[Step, ...]
    drawn: tuple[Draw, ...] = ()


def write(
    path: Path,
    opening: tuple[Mapping[str, Any], datetime],
    steps: Iterable[Exchange | Unanswered],
    drawn: Iterable[Draw],
    redactor: Redactor,
) -> int:
    """Write a recording, redacted; it appears under its name only when complete.

    Args:
        path: the file, usually `recording.jsonl` of the run's folder.
        opening: what the run says about itself (JSON values), and when it began (UTC).
        steps: `Evidence.steps`.
        drawn: `Entropy.drawn`.
        redactor: the run's own, which knows its secrets.

    Returns:
        The number of steps.
    """
    about, clock = opening
    # What the EHR asked of us is no step that a client asks again; see `harness.http.hook`.
    kept = [each for each in steps if not (isinstance(each, Exchange) and each.arrived)]
    drawn = [*drawn]
    # Draws come first: their labels can be drawn again, wherever they were sent.
    for value in drawn_secrets(drawn):
        redactor.learn(value, "drawn")
    for each in kept:
        if isinstance(each, Exchange):
            redactor.learn_from(each)
    hidden = {*drawn_secrets(drawn)}
    labels = [
        [each.act, redactor.learn(each.value, "drawn") if each.value in hidden else each.value]
        for each in drawn
    ]
    header = {"format": FORMAT, "version": VERSION, "clock": clock.isoformat(), "about": about}
    lines = [redactor.known(_line(header)), *(_line(_of_step(each, redactor)) for each in kept)]
    lines.append(_line({"end": True, "count": len(kept), "drawn": labels}))
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return len(kept)


def drawn_secrets(drawn: Iterable[Draw]) -> list[str]:
    """The draws that are secrets; a short one is part of an identifier, and is sent as it is."""
    return [each.value for each in drawn if len(each.value) >= _SECRET]


def load(path: Path) -> Recording:
    """Read a recording.

    Raises:
        UsageError: no such file, not a recording, of another version, or cut off.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        header, *body = [json.loads(line) for line in lines] or [None]
    except (OSError, ValueError, RecursionError) as error:
        raise _refused(path, f"it cannot be read: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _refused(path, "it is not a recording of this harness")
    if header.get("version") != VERSION:
        raise _refused(path, f"expected format version {VERSION}, got {header.get('version')}")
    footer = body[-1] if body and isinstance(body[-1], dict) else {}
    if footer.get("end") is not True or footer.get("count") != len(body) - 1:
        raise _refused(path, "it is cut off: its last line does not count its steps")
    try:
        return Recording(
            header["about"],
            datetime.fromisoformat(header["clock"]),
            tuple(_to_step(each) for each in body[:-1]),
            tuple(Draw(act, value) for act, value in footer["drawn"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(path, f"a line of it is not as it was written: {error!r}") from None


@dataclass(slots=True)
class ReplayTransport:
    """Answers each act's requests from its steps in the recording.

    Requests of one act may come in another order than recorded, as concurrent ones do: the first
    step not yet given that has the same method and URL answers, else the same method and path.

    Args:
        recording: what to answer from.
        clock: moved on to the time of each answer.
    """

    recording: Recording
    clock: ManualClock
    _left: dict[str, list[Step]] = field(init=False)

    def __post_init__(self) -> None:
        self._left = {}
        for step in self.recording.steps:
            self._left.setdefault(step.act, []).append(step)

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """The recorded answer.

        Raises:
            NoAnswerError, HostileInput: as recorded.
            UsageError: the recording has no such step.
        """
        step = self._take(current_act.get(), request)
        await self.clock.sleep(0)
        self.clock.advance_to(step.started_at)
        self.clock.advance(step.seconds)
        if step.response is not None and len(step.response.body) <= max_bytes:
            return Answer(step.response, step.started_at, step.seconds)
        if step.kind and step.kind != "hostile":
            raise NoAnswerError(step.kind, step.reason)
        raise HostileInput(step.reason or f"{request!r}: expected at most {max_bytes} bytes")

    async def aclose(self) -> None:
        """Nothing to give back."""

    def _take(self, act: str, request: Request) -> Step:
        left = self._left.get(act, [])
        same = [each for each in left if _asks(each.request) == _asks(request)]
        if not same:
            asked = "{} {}".format(*_asks(request))
            raise UsageError(
                f"replay: the recording has no further {asked!r} of act {act!r}",
                hint="it was recorded with other checks, options or another version; record again",
            )
        exact = [each for each in same if each.request.url == request.url] or same
        # What an act asks at the same time may come in another order, told apart by its body.
        step = next((each for each in exact if each.request.body == request.body), exact[0])
        left.remove(step)
        return step


def _asks(request: Request) -> tuple[str, str]:
    return request.method.upper(), urlsplit(request.url).path


def _refused(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path}: {reason}", hint="a recording is made with --record")


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


def _of_step(step: Exchange | Unanswered, redactor: Redactor) -> dict[str, Any]:
    line: dict[str, Any] = {
        "act": step.act,
        "started_at": step.started_at.isoformat(),
        "seconds": step.seconds,
        "attempt": step.attempt,
    }
    if isinstance(step, Unanswered):
        reason = redactor.text(step.reason)
        return {
            **line,
            "request": _of_request(redactor.request(step.request)),
            "unanswered": [step.kind, reason],
        }
    clean = redactor.exchange(step)
    response = {
        "status": clean.status,
        "http_version": clean.response.http_version,
        "headers": [list(each) for each in clean.headers],
        **_of_body(clean.body),
    }
    return {**line, "request": _of_request(clean.request), "response": response}


def _of_request(request: Request) -> dict[str, Any]:
    headers = [list(each) for each in request.headers]
    body = _of_body(request.body)
    return {"method": request.method, "url": request.url, "headers": headers, **body}


def _of_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body64": base64.b64encode(body).decode("ascii")}


def _to_body(value: Mapping[str, str]) -> bytes:
    return base64.b64decode(value["body64"]) if "body64" in value else value["body"].encode()


def _to_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    return Headers(tuple((name, value) for name, value in pairs))


def _to_step(line: Mapping[str, Any]) -> Step:
    asked, answered = line["request"], line.get("response")
    request = Request(asked["method"], asked["url"], _to_headers(asked["headers"]), _to_body(asked))
    response = answered and Response(
        answered["status"],
        _to_headers(answered["headers"]),
        _to_body(answered),
        answered["http_version"],
    )
    kind, reason = line.get("unanswered", ("", ""))
    started_at = datetime.fromisoformat(line["started_at"])
    seconds, attempt = line["seconds"], line["attempt"]
    return Step(line["act"], request, response, started_at, seconds, attempt, kind, reason)
