"""Acts of transport security: whether TLS before 1.2 is refused (RFC 8996).

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.checks.acting import Run, act
from harness.errors import EhrUnreachable, NotApplicable, NotConfigured
from harness.http.client import SMALL
from harness.http.exchange import Exchange, Request
from harness.http.origin import origin
from harness.http.tls import offers_old_tls
from harness.smart.discovery import Discovery


@dataclass(frozen=True, slots=True)
class OldTls:
    """What became of the offer to speak no TLS newer than 1.1.

    Attributes:
        answers: what was answered over it, by origin.
        refusals: why nothing was, by origin.
    """

    answers: Mapping[str, Exchange]
    refusals: Mapping[str, str]


def https_places(run: Run, discovery: Discovery | None) -> dict[str, str]:
    """A URL to ask for each https origin of the EHR, the FHIR interface first."""
    known = [f"{run.ehr.fhir_base}/metadata"]
    if discovery is not None:
        named = discovery.configuration
        ends = (named.authorization_endpoint, named.token_endpoint, named.introspection_endpoint)
        known += [f"{origin(each)}/" for each in ends if each]
    places: dict[str, str] = {}
    for url in known:
        if url.startswith("https:"):
            places.setdefault(origin(url), url)
    return places


@act
async def old_tls(run: Run, discovery: Discovery | None = None) -> OldTls:
    """Each host of the EHR, asked without a token over TLS 1.1 or older."""
    places = https_places(run, discovery)
    if not places:
        raise NotApplicable("the EHR is served over plain http, as on loopback")
    if not offers_old_tls():
        raise NotConfigured("the TLS library of this machine offers nothing before TLS 1.2")
    answers, refusals = {}, {}
    for place, url in places.items():
        asked = Request("GET", url, old_tls=True)
        try:
            answers[place] = await run.http.send(asked, retry=False, max_bytes=SMALL * 64)
        except EhrUnreachable as refusal:
            refusals[place] = str(refusal)
    return OldTls(answers, refusals)
