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
from harness.smart.scopes import Scope, Syntax
from harness.smart.tokens import TokenResponse
from harness.spec.regulatory import resolve_versions


def suited(ehr: EhrFile, kind: LaunchKind, version: str) -> LaunchSpec | None:
    """The first launch of a kind whose scopes are in the syntax of a version of SMART App Launch.

    Version 1.0.0 wants the old syntax alone, every later one anything else; where none is so, the
    first of the kind will do. None where there is none at all.
    """
    launches = [each for each in ehr.launches if each.kind is kind]
    fitting = (each for each in launches if _in_old_syntax(each) == (version == "1.0.0"))
    return next(fitting, next(iter(launches), None))


def chosen(ehr: EhrFile, name: str | None = None) -> LaunchSpec:
    """The named launch; without a name the standalone one that a run takes.

    Raises:
        ConfigError: there is none.
    """
    version = resolve_versions(ehr.versions).smart
    standalone = suited(ehr, LaunchKind.STANDALONE, version)
    spec = ehr.launch(name) if name is not None else standalone
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


def _in_old_syntax(spec: LaunchSpec) -> bool:
    syntaxes = {Scope.parse(each).syntax for each in spec.scopes} - {None}
    return syntaxes == {Syntax.V1}
