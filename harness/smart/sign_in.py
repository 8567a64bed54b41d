"""A launch for the sake of its refresh token: by a person, or by forms where those can sign in."""

from __future__ import annotations

from dataclasses import replace

from harness.config.ehr import (
    AuthorizeMethod,
    DriverKind,
    EhrFile,
    Environment,
    LaunchKind,
    LaunchSource,
    LaunchSpec,
    Login,
)
from harness.errors import ConfigError
from harness.smart.launch import Launcher
from harness.smart.tokens import TokenResponse


def chosen(ehr: EhrFile, name: str | None = None) -> LaunchSpec:
    """The named launch; without a name the first standalone one, as runs take it.

    Raises:
        ConfigError: there is none.
    """
    standalone = (each for each in ehr.launches if each.kind is LaunchKind.STANDALONE)
    spec = ehr.launch(name) if name is not None else next(standalone, None)
    if spec is None:
        known = ", ".join(each.name for each in ehr.launches) or "none"
        wanted = f"launch {name!r}" if name is not None else "standalone launch"
        raise ConfigError(f"{ehr.name}: no {wanted}; there are: {known}")
    return spec


def interactive(ehr: EhrFile, spec: LaunchSpec) -> tuple[EhrFile, LaunchSpec]:
    """The EHR file and the launch as a login performs them.

    A login by hand happens in the person's browser from start to end: an EHR launch begins there,
    and the authorization request is a link, which cannot post.

    Raises:
        ConfigError: the launch names a login that is not there.
    """
    login = ehr.login(spec.login)
    if login is None:
        raise ConfigError(f"{ehr.name}: launch {spec.name!r} names no login of the file")
    driver = _driver(ehr, login)
    logins = tuple(
        replace(each, driver=driver) if each.name == login.name else each for each in ehr.logins
    )
    if driver is DriverKind.MANUAL:
        source = LaunchSource.MANUAL if spec.kind is LaunchKind.EHR else spec.source
        spec = replace(spec, method=AuthorizeMethod.GET, source=source)
    return replace(ehr, logins=logins), spec


async def sign_in_at(launcher: Launcher, spec: LaunchSpec) -> TokenResponse:
    """Perform a launch, and return what it granted.

    Raises:
        OAuthError: the EHR refused.
        ProtocolError: the redirect or the token response cannot be used.
        LoginFailed, NotConfigured, ConfigError: as the steps of the launch.
    """
    launch = await launcher.performed(spec)
    if launch.exchange is None:
        launch.response.require_code()
        raise AssertionError("a launch without an exchange has no code")  # pragma: no cover
    return TokenResponse.parse(launch.exchange, launcher.clock.now())


def _driver(ehr: EhrFile, login: Login) -> DriverKind:
    """Forms sign in where the login has them; a stored token's own user does so in a sandbox."""
    credentials = login.username is not None and login.password is not None
    sandbox = ehr.environment is Environment.SANDBOX
    unattended = login.driver is DriverKind.REFRESH_TOKEN and credentials and sandbox
    return DriverKind.FORM if unattended or login.driver is DriverKind.FORM else DriverKind.MANUAL
