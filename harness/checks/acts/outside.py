"""Acts of others: what another application or a clinician wrote is there for this one as well.

http://hl7.org/fhir/R4/http.html#transactional-integrity
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access, fhir_client
from harness.checks.acts.launch import planned, whole_launch
from harness.checks.acts.observing import Written, new
from harness.checks.acts.write import read, recent, stored
from harness.checks.launching import Launch
from harness.config.ehr import LaunchKind, LaunchSpec
from harness.errors import LoginFailed, NotConfigured, Skip
from harness.smart.discovery import Discovery
from harness.smart.drivers import Choices
from harness.smart.scopes import ScopeSet

AUTHORS = ("another-client", "another-person")


def of_another(run: Run, own: LaunchSpec, author: str) -> LaunchSpec | None:
    """A standalone launch by another client, or by another person, that may write Observations."""
    for each in run.ehr.launches:
        scopes = ScopeSet.parse(each.scopes)
        writes = any(scopes.allows(level, "Observation", "c") for level in ("patient", "user"))
        person = each.login != own.login
        other = person if author == "another-person" else (each.client != own.client and not person)
        if writes and other and each.kind is LaunchKind.STANDALONE:
            return each
    return None


def by(written: Mapping[str, Written], author: str) -> Written:
    """What an author wrote.

    Raises:
        NotConfigured: the EHR file has no launch by such an author.
    """
    if author not in written:
        raise NotConfigured(f"no launch by {author} may write Observations of this patient")
    return written[author]


@act(after=SEARCHES)
async def written_by_others(
    run: Run, discovery: Discovery, launch: Launch, writable: Access, created: object
) -> Mapping[str, Written]:
    """A heart rate by another client and one by another person, read by the application."""
    done = {}
    for author in AUTHORS:
        spec = of_another(run, launch.authorization.plan.spec, author)
        if spec is None:
            continue
        choices = Choices(patient=writable.patient)
        try:
            other = await whole_launch(run, discovery, planned(run, spec), choices)
        except (LoginFailed, Skip):
            continue
        if other.token.patient not in (None, writable.patient):
            continue
        theirs = replace(writable, client=fhir_client(run, other.token.access_token))
        theirs = replace(theirs, bearer=other.token.access_token)
        await recent(writable, new(run, writable.patient, "respiratory-rate"))
        written = await stored(run, theirs, new(run, writable.patient, "respiratory-rate"))
        if written.id is not None and written.stored:
            mine = await read(run, writable, written.id)
            found = await recent(writable, written.sent)
            done[author] = replace(written, read=mine, search=found)
    if not done:
        raise NotConfigured("no launch by another client or person may write Observations")
    return done
