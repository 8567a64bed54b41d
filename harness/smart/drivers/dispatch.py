"""The driver that a login names."""

from __future__ import annotations

from dataclasses import replace

from harness.config.ehr import DriverKind, EhrFile, Login
from harness.config.secrets import Secrets
from harness.errors import NotConfigured
from harness.http.client import HttpClient
from harness.smart.authorize import AuthorizationRequest
from harness.smart.drivers import form, manual
from harness.smart.drivers.arrival import Arrival
from harness.smart.drivers.choices import Choices
from harness.smart.drivers.cookies import CookieJar


async def authorize(
    http: HttpClient,
    request: AuthorizationRequest,
    login: Login,
    secrets: Secrets,
    ehr: EhrFile,
    *,
    choices: Choices | None = None,
    cookies: CookieJar | None = None,
) -> Arrival:
    """Have the login's driver carry a request through to the redirect URI.

    Args:
        http: the sender.
        request: as built.
        login: who signs in, and by which driver.
        secrets: resolves user name and password.
        ehr: lists the further origins that may see them.
        cookies: of the EHR's session that a launch began in; a person's browser has its own.
        choices: None consents to all; the patient is the login's own unless given.

    Raises:
        LoginFailed: the driver could not get to the redirect.
        NotConfigured: the login's driver does not sign in.
        ConfigError: user name or password cannot be resolved.
        EhrUnreachable, HostileInput: as `HttpClient.send`.
    """
    choose = choices or Choices()
    if choose.patient is None:
        choose = replace(choose, patient=login.patient)
    if login.driver is DriverKind.FORM:
        extra = ehr.auth.extra_origins
        return await form.authorize(
            http, request, login, secrets, choose=choose, extra_origins=extra, cookies=cookies
        )
    if login.driver is DriverKind.MANUAL:
        if request.post:
            raise NotConfigured('method = "post" needs a login with driver "form": no link posts')
        return Arrival(await manual.authorize(request))
    raise NotConfigured(
        f"login {login.name!r} has driver {login.driver.value!r}, which does not sign in; "
        'those that do are "form" and "manual"'
    )
