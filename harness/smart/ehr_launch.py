"""An EHR launch up to the application: the EHR sends a browser to the launch URI.

SMART App Launch, "Launch app: EHR launch":
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

from harness.config.ehr import EhrFile, LaunchSource, LaunchSpec, Login, OAuthClient
from harness.config.secrets import Secrets
from harness.errors import ConfigError, NotConfigured
from harness.http.client import HttpClient
from harness.http.exchange import Exchange
from harness.http.origin import origin
from harness.smart.client_auth import client_id
from harness.smart.drivers import manual
from harness.smart.drivers.choices import Choices
from harness.smart.drivers.cookies import CookieJar
from harness.smart.drivers.fill import Wishes
from harness.smart.drivers.launching import arrive_only, next_launch_step
from harness.smart.drivers.plan import Follow, Task
from harness.smart.drivers.target import Caught, LaunchTarget
from harness.smart.drivers.walk import Walk

LAUNCH = "launch"
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What came to the launch URI; whether it is as it has to be is for a check to judge.

    Attributes:
        iss: the FHIR base that the EHR names; empty where it names none.
        launch: the opaque handle to send back; empty where none came.
        url: the whole URL.
        parameters: every parameter as it came, duplicates included.
        duplicates: names that came more than once.
        posted: the parameters came by POST, where the specification has GET.
        exchanges: what was sent until then; none where a person's browser did it.
        cookies: of the EHR's session; the authorization request has to go on with them.
    """

    iss: str
    launch: str = field(repr=False)
    url: str = field(repr=False)
    parameters: Pairs = field(repr=False, default=())
    duplicates: tuple[str, ...] = ()
    posted: bool = False
    exchanges: tuple[Exchange, ...] = ()
    cookies: CookieJar = field(repr=False, compare=False, default_factory=CookieJar)

    @classmethod
    def of(
        cls, caught: Caught, exchanges: Iterable[Exchange] = (), cookies: CookieJar | None = None
    ) -> LaunchContext:
        """Read what was caught at the launch URI."""
        pairs = caught.parameters
        first = dict(reversed(pairs))
        counts = Counter(name for name, _ in pairs)
        return cls(
            iss=first.get("iss", ""),
            launch=first.get(LAUNCH, ""),
            url=caught.url,
            parameters=pairs,
            duplicates=tuple(name for name, count in counts.items() if count > 1),
            posted=caught.fields is not None,
            exchanges=tuple(exchanges),
            cookies=cookies if cookies is not None else CookieJar(),
        )

    def is_for(self, ehr: EhrFile) -> bool:
        """Whether `iss` is the FHIR base of `ehr`; a slash at the end does not matter.

        An application that followed any other `iss` would hand its codes to a stranger.
        """
        bases = {ehr.fhir_base.rstrip("/"), (ehr.moved_from or ehr.fhir_base).rstrip("/")}
        return self.iss.rstrip("/") in bases


def launch_uri(client: OAuthClient) -> str:
    """Where an EHR starts the application: as registered, else `launch` beside the redirect URI.

    Raises:
        ConfigError: the client has neither.
    """
    if client.launch_uri is not None:
        return client.launch_uri
    if client.redirect_uri is None:
        raise ConfigError(f"client {client.name!r} has no launch_uri and no redirect_uri")
    parts = urlsplit(client.redirect_uri)
    path = f"{parts.path.rpartition('/')[0]}/{LAUNCH}"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def with_launch(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes of an EHR launch: `launch` is among them."""
    wanted = tuple(scopes)
    return wanted if LAUNCH in wanted else (LAUNCH, *wanted)


async def received(  # noqa: PLR0913 - as the other drivers; the rest is for a person
    http: HttpClient,
    ehr: EhrFile,
    spec: LaunchSpec,
    login: Login,
    secrets: Secrets,
    *,
    choices: Choices | None = None,
    say: Callable[[str], None] = manual.say_on_stderr,
    ask: Callable[[str], Awaitable[str]] = manual.ask_on_stdin,
    patience: float = manual.PATIENCE,
) -> LaunchContext:
    """Have the EHR start the application, by the launch's source.

    Args:
        http: the sender.
        ehr: has the client, and lists further origins that may see the credentials.
        spec: a launch of kind ehr.
        login: who signs in to the EHR; its patient is the one to choose.
        secrets: resolves client id, user name and password.
        choices: None chooses the login's patient.
        say: prints a line, for source manual.
        ask: prompts for a line, for source manual.
        patience: seconds to wait for a person.

    Raises:
        LoginFailed: the EHR never got to the launch URI.
        NotConfigured: no source that can be driven, or it lacks its launch_url.
        ConfigError: the client is unknown or has no launch URI, or a secret is missing.
        EhrUnreachable, HostileInput: as `HttpClient.send`.
    """
    client = ehr.client(spec.client)
    if client is None:
        raise ConfigError(f"no client {spec.client!r} in {ehr.name}")
    target = LaunchTarget(launch_uri(client))
    # A path counts from the base, so that it moves with it.
    start = urljoin(f"{ehr.fhir_base}/", spec.launch_url) if spec.launch_url else None
    if spec.source is LaunchSource.MANUAL:
        caught = await manual.launched(target, start, say=say, ask=ask, patience=patience)
        return LaunchContext.of(caught)
    if spec.source not in (LaunchSource.URL, LaunchSource.FORM) or start is None:
        came = spec.source.value if spec.source else "none"
        raise NotConfigured(
            f"launch {spec.name!r} has source {came!r}: expected url or form with launch_url, "
            "or manual"
        )
    task = _task(spec, client, login, secrets, target, choices)
    trusted = (start, http.base, *ehr.auth.extra_origins)
    walk = Walk(
        http,
        task,
        frozenset(origin(url) for url in trusted),
        decide=next_launch_step if spec.source is LaunchSource.FORM else arrive_only,
    )
    return LaunchContext.of(await walk.run(Follow(start)), walk.exchanges, walk.cookies)


def _task(
    spec: LaunchSpec,
    client: OAuthClient,
    login: Login,
    secrets: Secrets,
    target: LaunchTarget,
    choices: Choices | None,
) -> Task:
    """Where to, and with what; a launch by URL signs nobody in, and needs no credentials."""
    patient = (choices.patient if choices else None) or login.patient
    app = (client_id(client, secrets), client.name, target.launch_uri)
    wishes = Wishes(Choices(patient=patient), (), fields=login.fields, app=app)
    if spec.source is LaunchSource.URL:
        return Task(target, wishes)
    return Task(
        target,
        wishes,
        secrets.text(login.username) if login.username else None,
        secrets.resolve(login.password) if login.password else None,
    )
