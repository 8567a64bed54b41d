"""Acts of backend services beyond the assertion itself: scopes, and requests that lack something.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html#evaluate-requested-access
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access, Probe, fhir_client, probe
from harness.checks.acts.backend import BackendGrant, backend_client, right_assertion
from harness.checks.acts.launch import negative
from harness.checks.found import Found
from harness.errors import NotApplicable, NotSupported, ProtocolError
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.client_auth import ClientProof, authenticate, client_id
from harness.smart.discovery import Discovery
from harness.smart.scopes import Scope, Syntax
from harness.smart.tokens import TokenResponse

OTHER_TYPE = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
"""A registered type (RFC 7522) that no JWT is of."""

NO_SUCH_SCOPE = "no-such-scope"
INCOMPLETE = ("another-assertion-type", "no-assertion")


async def asked_for(run: Run, discovery: Discovery, scopes: Iterable[str]) -> Exchange:
    """A right request for a backend token, with scopes of its own."""
    client, endpoint = backend_client(run), str(discovery.configuration.token_endpoint)
    proof = authenticate(client, run.secrets, endpoint, run.clock.now(), run.entropy)
    return await grants.client_credentials(run.http, endpoint, proof, scopes=scopes)


@act
async def limited_backend_token(run: Run, discovery: Discovery, backend_grant: BackendGrant) -> str:
    """A backend token that was asked for to read Patients only, and opens no Observations."""
    if not backend_grant.scopes.allows("system", "Patient", "r"):
        raise NotApplicable("the backend client may not read Patients")
    if not backend_grant.scopes.allows("system", "Observation", "s"):
        raise NotApplicable("the backend client may not search Observations anyway")
    syntaxes = {Scope.parse(each).syntax for each in backend_client(run).scopes}
    scope = "system/Patient.read" if syntaxes == {Syntax.V1} else "system/Patient.rs"
    exchange = await asked_for(run, discovery, [scope])
    try:
        token = TokenResponse.parse(exchange, run.clock.now())
    except ProtocolError as error:
        raise NotSupported(f"a token for {scope} alone is not given: {error}") from None
    if token.scope and token.scope.allows("system", "Observation", "s"):
        raise NotApplicable("the server grants more than is asked for, which is judged by itself")
    return token.access_token


@act
async def limited_backend_search(run: Run, limited_backend_token: str, access: Access) -> Probe:
    """Observations of a patient, with a backend token that does not cover them."""
    return await probe(run, "Observation", access.patient, limited_backend_token)


@act
async def limited_backend_read(
    run: Run, limited_backend_token: str, system_search: Found
) -> Exchange:
    """One Observation, with a backend token that does not cover it."""
    if not system_search.matches:
        raise NotApplicable("the patient has no vital signs to try it with")
    wanted = str(system_search.matches[0].get("id"))
    return await fhir_client(run, limited_backend_token).read("Observation", wanted)


@act
async def unknown_backend_scope(
    run: Run, discovery: Discovery, backend_grant: BackendGrant
) -> Exchange:
    """A right request for a scope that no server can have authorized."""
    del backend_grant
    negative(run)
    return await asked_for(run, discovery, [NO_SUCH_SCOPE])


@act
async def incomplete_requests(
    run: Run, discovery: Discovery, backend_grant: BackendGrant
) -> Mapping[str, Exchange]:
    """Requests whose assertion is called something else, or is not there."""
    del backend_grant
    negative(run)
    endpoint = str(discovery.configuration.token_endpoint)
    client, key, right = right_assertion(run, discovery)
    fields = {
        "another-assertion-type": (
            ("client_assertion_type", OTHER_TYPE),
            ("client_assertion", right.sign(key)),
        ),
        "no-assertion": (("client_id", client_id(client, run.secrets)),),
    }
    return {
        name: await grants.client_credentials(
            run.http, endpoint, ClientProof(fields=fields[name]), scopes=client.scopes
        )
        for name in INCOMPLETE
    }


def granted_nonsense(exchange: Exchange) -> bool:
    """Whether a token response grants the scope that nobody can have."""
    try:
        scope = exchange.json_object().get("scope")
    except ProtocolError:
        return False
    return isinstance(scope, str) and NO_SUCH_SCOPE in scope.split()
