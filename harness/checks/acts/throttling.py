"""Acts of throttling: a batch pull that is faster than the EHR permits, and then slows down.

Only where `load` is permitted; bounded in requests and in time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

import anyio

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access
from harness.checks.acts.backend import backend_client
from harness.checks.sustained import NEEDED, OK, REFUSED, Sustained, sustained
from harness.config.ehr import Limits, Permit
from harness.errors import NotApplicable, NotPermitted, UsageError
from harness.http.client import FHIR_JSON
from harness.http.evidence import current_act
from harness.http.exchange import Exchange, Headers, Request
from harness.http.limiter import HostLimiters
from harness.smart.client_auth import authenticate
from harness.smart.discovery import Discovery
from harness.smart.grants import token_request

REQUESTS = 240
CONCURRENCY = 12
TOKENS = 4
OPENING_RATE = 400.0
"""Requests per second that the pull opens with; the limiter slows down from there."""

LONGEST = 60.0
"""Seconds after which the pull is given up; what is missing then counts as missing."""

SLOW = 5.0
"""Seconds after which a pull is given up that brought less than is needed, and no refusal."""

LOOK_EACH = 1.0
"""Seconds until such a pull is looked at again."""


@dataclass(frozen=True, slots=True)
class BatchPull:
    """What came of the pull.

    Attributes:
        asked: how many answers were wanted.
        refusals: attempts answered with 429 or 503.
        odd: other statuses than 200, 429 and 503, and empty answers; one line each.
        missing: how many answers never came.
        sustained: what the server kept up.
    """

    asked: int
    refusals: tuple[Exchange, ...]
    odd: tuple[str, ...]
    missing: int
    sustained: Sustained

    @property
    def no_refusal(self) -> str:
        """Why there is nothing to judge."""
        return f"{self.asked} requests in a row were not refused"


@act(last=True)
async def batch_pull(run: Run, access: Access) -> BatchPull:
    """Read the same record many times, as fast as a careless client would."""
    if not run.permits(Permit.LOAD):
        raise NotPermitted("permit has no load")
    limits = Limits(
        requests_per_second=OPENING_RATE,
        concurrency=CONCURRENCY,
        burst=CONCURRENCY,
        max_retry_after=10,
    )
    http = run.http.with_limiter(HostLimiters(limits, run.clock))
    url = f"{run.ehr.fhir_base}/Patient?_id={access.patient}"
    answers: list[Exchange] = []

    async def pull() -> None:
        for _ in range(REQUESTS // CONCURRENCY):
            try:
                answer = await http.get(url, accept=FHIR_JSON, bearer=access.bearer)
            except UsageError:
                return  # A replay: this one was cut off when the pull was given up.
            answers.append(answer)
            if answer.status in REFUSED:
                return  # Refused even after waiting as told: knocking on would not be gentle.

    began, started = run.clock.now(), run.clock.monotonic()

    def is_slow() -> bool:
        known = run.http.evidence.of(current_act.get())
        wanted = (run.clock.monotonic() - started) * NEEDED
        return len(answers) < wanted and all(each.status not in REFUSED for each in known)

    await _side_by_side(pull, is_slow)
    attempts = run.http.evidence.of(current_act.get())
    refusals = tuple(each for each in attempts if each.status in REFUSED)
    first = next(iter((*answers, *attempts)), None)
    odd = (oddity(each, first) for each in attempts if first is not None)
    return BatchPull(
        asked=REQUESTS,
        refusals=refusals,
        odd=tuple(dict.fromkeys(each for each in odd if each)),
        missing=REQUESTS - sum(each.status == OK for each in answers),
        sustained=sustained(attempts, began, run.clock.now()),
    )


async def _side_by_side(
    pull: Callable[[], Coroutine[object, object, None]], is_slow: Callable[[], bool]
) -> None:
    """Pull until all is there; give up after `LONGEST`, or from `SLOW` on once it is too slow."""

    async def give_up(pulling: anyio.CancelScope) -> None:
        await anyio.sleep(SLOW)
        while not is_slow():  # noqa: ASYNC110 - nothing tells that nothing comes
            await anyio.sleep(LOOK_EACH)
        pulling.cancel()

    async with anyio.create_task_group() as watching:
        with anyio.move_on_after(LONGEST) as pulling:
            watching.start_soon(give_up, pulling)
            async with anyio.create_task_group() as tasks:
                for _ in range(CONCURRENCY):
                    tasks.start_soon(pull)
        watching.cancel_scope.cancel()


def oddity(attempt: Exchange, first: Exchange) -> str | None:
    """What is wrong with an answer that is neither the result nor a refusal."""
    if attempt.status in REFUSED:
        return None
    if attempt.status != OK:
        return f"status {attempt.status}"
    if len(attempt.body) * 2 < len(first.body):
        return "status 200 with less than the result"
    return None


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """Token requests that were under way while the FHIR interface refused for load.

    Attributes:
        exchange: the first refusal of the FHIR interface.
        answers: those of the waves of reads in which it refused.
    """

    exchange: Exchange
    answers: tuple[Exchange, ...]

    @property
    def refused(self) -> tuple[Exchange, ...]:
        """Those that were refused for load as well."""
        return tuple(each for each in self.answers if each.status in REFUSED)


@act(last=True)
async def token_under_load(
    run: Run, discovery: Discovery, access: Access, batch_pull: BatchPull
) -> UnderLoad:
    """Ask for tokens while the FHIR interface refuses for load."""
    if not batch_pull.refusals:
        raise NotApplicable(batch_pull.no_refusal)
    client, endpoint = backend_client(run), str(discovery.configuration.token_endpoint)
    fields = (("grant_type", "client_credentials"), ("scope", " ".join(client.scopes)))
    url = f"{run.ehr.fhir_base}/Patient?_id={access.patient}"
    read = Request("GET", url, Headers((("Accept", FHIR_JSON),)))

    def at_once(request: Request, bearer: str | None = None) -> Awaitable[Exchange]:
        # A limiter of its own, or a refusal would hold back what has to go out at the same time.
        return run.http.with_limiter(unpaced(run)).send(request, bearer=bearer, retry=False)

    def token() -> Request:
        proof = authenticate(client, run.secrets, endpoint, run.clock.now(), run.entropy)
        return token_request(endpoint, fields, proof)

    refusals: list[Exchange] = []
    answers: list[Exchange] = []
    for _ in range(REQUESTS // CONCURRENCY):
        wave = await together(
            *(at_once(read, access.bearer) for _ in range(CONCURRENCY)),
            *(at_once(token()) for _ in range(TOKENS // 2)),
        )
        refused = [each for each in wave[:CONCURRENCY] if each.status in REFUSED]
        if refused:
            refusals += refused
            answers += wave[CONCURRENCY:]
        if len(answers) >= TOKENS:
            break
    if not refusals:
        raise NotApplicable("the FHIR interface does not refuse any more")
    return UnderLoad(refusals[0], tuple(answers))


def unpaced(run: Run) -> HostLimiters:
    """A pace that lets a wave go at once."""
    limits = Limits(requests_per_second=OPENING_RATE, concurrency=CONCURRENCY, burst=CONCURRENCY)
    return HostLimiters(limits, run.clock)


async def together(*requests: Awaitable[Exchange]) -> tuple[Exchange, ...]:
    """The answers to requests that are under way at the same time, in the requests' order."""
    answers: dict[int, Exchange] = {}

    async def one(number: int, request: Awaitable[Exchange]) -> None:
        answers[number] = await request

    async with anyio.create_task_group() as tasks:
        for number, each in enumerate(requests):
            tasks.start_soon(one, number, each)
    return tuple(answers[number] for number in range(len(requests)))
