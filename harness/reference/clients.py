"""The clients that are registered at the reference EHR."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from joserfc.jwk import ECKey, RSAKey

from harness.reference.credentials import BACKEND_SECRET, CLIENT_SECRET, Credentials

REDIRECT_URIS = (
    "http://127.0.0.1:8765/callback",
    "http://localhost:8765/callback",
    "harness.app:/callback",
)
BROWSER_REDIRECT_URI = "https://app.example.org/callback"
LAUNCH_URI = "http://127.0.0.1:8765/launch"
BACKEND_SCOPES = ("system/*.rs", "system/Observation.cruds")
_USER_GRANTS = frozenset({"authorization_code", "refresh_token"})
_SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post"})


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 7591 names).

    Args:
        client_id: its identifier.
        client_name: what the consent page calls it.
        auth_methods: how it may authenticate at the token endpoint.
        grant_types: what it may ask the token endpoint for.
        redirect_uris: compared exactly.
        launch_uris: where the EHR may launch it; the first unless another is asked for.
        secret: for the client_secret methods.
        keys: public keys for private_key_jwt, by `kid`.
        scopes: what a backend client is authorised for in advance.
        registered: False for the stand-in of an unknown client, which only a fault makes.
    """

    client_id: str
    client_name: str
    auth_methods: frozenset[str]
    grant_types: frozenset[str] = _USER_GRANTS
    redirect_uris: frozenset[str] = frozenset()
    launch_uris: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)
    keys: Mapping[str, RSAKey | ECKey] = field(default_factory=lambda: MappingProxyType({}))
    scopes: tuple[str, ...] = ()
    registered: bool = True

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use the grant type."""
        return grant_type in self.grant_types

    @property
    def confidential(self) -> bool:
        """Whether the client proves itself with a secret or a key (RFC 6749 section 2.1)."""
        return "none" not in self.auth_methods


def stranger(client_id: str) -> Client:
    """A public client that nobody registered."""
    return Client(client_id, client_id, frozenset({"none"}), registered=False)


def registered(
    credentials: Credentials,
    more_redirect_uris: Iterable[str],
    more_launch_uris: Iterable[str] = (),
) -> dict[str, Client]:
    """The registrations, by client_id."""
    uris = frozenset((*REDIRECT_URIS, *more_redirect_uris))
    launches = (LAUNCH_URI, *more_launch_uris)
    keys = MappingProxyType(credentials.public_keys())
    backend = frozenset({"client_credentials"})
    clients = (
        Client(
            "harness-public",
            "Harness (public)",
            frozenset({"none"}),
            redirect_uris=uris,
            launch_uris=launches,
        ),
        Client(
            "harness-browser",
            "Harness (public, in a browser)",
            frozenset({"none"}),
            redirect_uris=frozenset({BROWSER_REDIRECT_URI}),
        ),
        Client(
            "harness-symmetric",
            "Harness (confidential, symmetric)",
            _SECRET_METHODS,
            redirect_uris=uris,
            launch_uris=launches,
            secret=credentials.values[CLIENT_SECRET],
        ),
        Client(
            "harness-asymmetric",
            "Harness (confidential, asymmetric)",
            frozenset({"private_key_jwt"}),
            redirect_uris=uris,
            launch_uris=launches,
            keys=keys,
        ),
        Client(
            "harness-backend",
            "Harness (backend service)",
            frozenset({"private_key_jwt"}),
            grant_types=backend,
            keys=keys,
            scopes=BACKEND_SCOPES,
        ),
        Client(
            "harness-backend-secret",
            "Harness (backend service with a secret)",
            _SECRET_METHODS,
            grant_types=backend,
            secret=credentials.values[BACKEND_SECRET],
            scopes=BACKEND_SCOPES,
        ),
    )
    return {client.client_id: client for client in clients}
