"""The form driver gets through the dialects of login pages, and stops where it must."""

from __future__ import annotations

import asyncio
import secrets as randomness
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.responses import Response as Answered

from harness.config.ehr import AuthSpec, DriverKind, EhrFile, Login, SecretRef
from harness.config.secrets import Secrets
from harness.errors import HostileInput, LoginFailed, NotConfigured
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.drivers import Arrival, Choices
from harness.smart.drivers import authorize as by_driver
from harness.smart.drivers.form import authorize
from harness.smart.scopes import Scope
from harness.tests.unit.smart.site import (
    REDIRECT,
    Handler,
    app_of,
    authorization_request,
    back,
    client_of,
    fields_of,
    page,
)

PASSWORD = randomness.token_urlsafe(12)
LOGIN_FORM = """
<form method="get" action="/search"><input name="q" type="search"><button>Search</button></form>
<form method="post" action="login"><input type="hidden" name="csrf" value="c-7">
<label for="u">User name</label><input id="u" name="j_username">
<input type="password" name="j_password"><label><input type="checkbox" name="remember"> Remember
me</label><a href="/forgot">Forgot?</a><button name="go" value="1">Sign in</button></form>
"""


def login(**changes: Any) -> Login:
    known: dict[str, Any] = {"username": "camila", "password": SecretRef("env", "PASSWORD")}
    return Login("patient", **(known | changes))


def drive_to_arrival(
    app: Any,
    *,
    request: AuthorizationRequest | None = None,
    choose: Choices | None = None,
    as_login: Login | None = None,
    **more: Any,
) -> Arrival:
    async def go() -> Arrival:
        async with client_of(app) as http:
            return await authorize(
                http,
                request or authorization_request(),
                as_login or login(),
                Secrets({"PASSWORD": PASSWORD}),
                choose=choose or Choices(),
                **more,
            )

    return asyncio.run(go())


def drive(app: Any, **how: Any) -> AuthorizationResponse:
    return drive_to_arrival(app, **how).response


def signing_in(then: Handler | None = None, **more: Handler) -> Any:
    """A server with a login page, and what comes after it."""

    async def start(asked: Asked) -> Answered:
        answer = page(LOGIN_FORM)
        answer.set_cookie("state", asked.query_params["state"], path="/auth")
        answer.set_cookie("elsewhere", "x", path="/other")
        return answer

    async def check(asked: Asked) -> Answered:
        sent = await fields_of(asked)
        assert "elsewhere" not in asked.cookies
        if sent != {"csrf": "c-7", "j_username": "camila", "j_password": PASSWORD, "go": "1"}:
            return page(LOGIN_FORM, 401)
        return await (then or done)(asked)

    return app_of(auth__authorize=start, auth__login=check, **more)


def showing(body: str) -> Handler:
    """A handler that always shows this."""

    async def show(_: Asked) -> Answered:
        return page(body)

    return show


async def done(asked: Asked) -> Answered:
    return back(asked.cookies["state"], code="c-1", **dict(asked.query_params))


def picking(body: str, chosen: Callable[[dict[str, str]], str]) -> Any:
    """A login followed by a page; the code that comes back is what was chosen."""

    async def show(_: Asked) -> Answered:
        return page(body, title="Choose")

    async def take(asked: Asked) -> Answered:
        sent = dict(asked.query_params) | await fields_of(asked)
        return back(asked.cookies["state"], code=chosen(sent) or "none")

    return signing_in(show, auth__take=take)


def test_a_login_form_is_filled_in_and_sent_where_it_says() -> None:
    response = drive(signing_in())
    assert response.state_matches
    assert response.code == "c-1"


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "org.example.app:/callback",
        "org.example.app://callback",
        "http://127.0.0.1:49152/callback",
        "http://127.0.0.1:65535/",
        "http://[::1]:50000/callback",
        "http://localhost/callback",
    ],
)
def test_a_native_redirect_uri_ends_the_login(redirect_uri: str) -> None:
    """RFC 8252 sections 7.1 and 7.3."""
    request = authorization_request(redirect_uri=redirect_uri)

    async def finish(asked: Asked) -> Answered:
        return back(asked.cookies["state"], redirect_uri, code="c-9")

    assert drive(signing_in(finish), request=request).code == "c-9"


def test_another_port_of_this_machine_is_another_application() -> None:
    request = authorization_request(redirect_uri="http://127.0.0.1:49152/callback")

    async def finish(asked: Asked) -> Answered:
        return back(asked.cookies["state"], "http://127.0.0.1:49153/callback", code="c-9")

    with pytest.raises(HostileInput, match="private or local address"):
        drive(signing_in(finish), request=request)


@pytest.mark.parametrize(
    ("redirect_uri", "origin"),
    [(REDIRECT, "https://app.example.org"), ("org.example.app:/callback", "null")],
)
def test_a_posted_request_comes_from_the_origin_of_the_application(
    redirect_uri: str, origin: str
) -> None:
    """As a browser sends it, so that a server which refuses other origins is noticed."""
    request = authorization_request(redirect_uri=redirect_uri, post=True)

    async def start(asked: Asked) -> Answered:
        sent = await fields_of(asked)
        assert (asked.method, asked.headers["Origin"]) == ("POST", origin)
        assert "referer" not in asked.headers
        return back(sent["state"], redirect_uri, code="c-1")

    assert drive(app_of(auth__authorize=start), request=request).code == "c-1"


def test_a_link_cannot_post() -> None:
    async def go() -> None:
        async with client_of(app_of()) as http:
            await by_driver(
                http,
                authorization_request(post=True),
                login(driver=DriverKind.MANUAL),
                Secrets({}),
                EhrFile("e", "E", "https://ehr.example.org/fhir", AuthSpec()),
            )

    with pytest.raises(NotConfigured, match='method = "post" needs'):
        asyncio.run(go())


def test_a_wrong_password_is_named_as_such() -> None:
    with pytest.raises(LoginFailed, match="user name or password was not accepted") as failure:
        drive(signing_in(), as_login=login(username="nobody"))
    assert PASSWORD not in str(failure.value)
    assert "j_username" in str(failure.value)


def test_a_login_without_credentials_says_what_to_set() -> None:
    with pytest.raises(LoginFailed, match="set username and password"):
        drive(signing_in(), as_login=login(password=None))


@pytest.mark.parametrize(
    "body",
    [
        """<form method=post action=take><label><input type=radio name=patient value=p1 checked>
        One</label><label><input type=radio name=patient value=p2>Two</label>
        <button>Continue</button></form>""",
        """<form method=post action=/auth/take><select name=patient><option value="">Choose
        <option value=p1>One<option value=p2>Two</select><input type=submit></form>""",
        """<form action=take><button name=patient value=p1>One</button>
        <button name=patient value=p2>Two</button></form>""",
        "<ul><li><a href='take?patient=p1'>One</a><li><a href='take?patient=p2'>Two</a></ul>",
        """<form method=post action=take><input type=hidden name=patient value=p1>
        <button>One</button></form><form method=post action=take>
        <input type=hidden name=patient value=p2><button>Two</button></form>""",
        """<form method=post action=take><input type=radio name=fhirId value=p1>One<br>
        <input type=radio name=fhirId value=p2>Two<br><input type=submit value=OK></form>""",
    ],
    ids=["radio", "select", "buttons", "links", "forms", "loose radio"],
)
def test_the_wanted_patient_is_chosen_in_every_kind_of_picker(body: str) -> None:
    app = picking(body, lambda sent: sent.get("patient", sent.get("fhirId", "")))
    assert drive(app, choose=Choices(patient="p2")).code == "p2"
    assert drive(app).code == "p1"
    with_name = Choices(patient="Two")
    assert drive(app, choose=with_name).code == "p2"


def test_a_patient_that_is_not_offered_is_never_replaced_by_another() -> None:
    body = """<form method=post action=take><input type=radio name=patient value=p10>
    <button>Continue</button></form>"""
    with pytest.raises(LoginFailed, match="'p1' is not among the 1"):
        drive(picking(body, str), choose=Choices(patient="p1"))


CONSENT = """<form method=post action=take>
<label><input type=checkbox name=scope value=openid checked> Identity</label>
<label><input type=checkbox name=scope-launch value=launch/patient>Patient</label>
<label><input type=checkbox name=o value="patient/Observation.rs" checked>Observations</label>
<label><input type=checkbox name=again value=1>Remember this decision</label>
<label><input type=checkbox name=terms value=1>I have read the terms</label>
<button name=decision value=deny>Do not allow</button>
<button name=decision value=allow>Allow</button></form>"""


def test_consent_ticks_every_scope_and_allows() -> None:
    app = picking(CONSENT, lambda sent: ",".join(sorted(sent)) + ":" + sent["decision"])
    assert drive(app).code == "decision,o,scope,scope-launch,terms:allow"


def test_declined_scopes_are_left_out() -> None:
    app = picking(CONSENT, lambda sent: ",".join(sorted(sent)))
    by_name = Choices(decline=frozenset({"patient/Observation.rs"}))
    assert drive(app, choose=by_name).code == "decision,scope,scope-launch,terms"
    by_rule = Choices(decline=lambda scope: scope.type == "Observation")
    assert drive(app, choose=by_rule).code == "decision,scope,scope-launch,terms"


def test_it_is_told_whether_scopes_could_be_declined() -> None:
    choose = Choices(decline=frozenset({"patient/Observation.rs"}))
    app = picking(CONSENT, lambda sent: sent["decision"])
    arrival = drive_to_arrival(app, choose=choose)
    assert arrival.offered_choice
    assert arrival.declined == {"patient/Observation.rs"}
    without = drive_to_arrival(signing_in(), choose=choose)
    assert not without.offered_choice
    assert without.declined == frozenset()


def test_a_checkbox_that_names_only_the_type_stands_for_its_scopes() -> None:
    body = """<form method=post action=take><input type=checkbox name=Observation checked>
    <input type=checkbox name=Patient checked><input type=submit value=Authorize></form>"""
    app = picking(body, lambda sent: ",".join(sorted(sent)))
    request = authorization_request("patient/Observation.rs", "patient/Patient.rs")
    choose = Choices(decline=frozenset({"patient/Observation.rs"}))
    assert drive(app, request=request, choose=choose).code == "Patient"


def test_a_link_on_the_consent_page_is_not_mistaken_for_a_patient() -> None:
    app = picking('<a href="/auth/terms?v=1">Terms</a>' + CONSENT, lambda sent: sent["decision"])
    assert drive(app, choose=Choices(patient="1")).code == "allow"


def test_a_picker_may_be_left_as_well() -> None:
    body = """<form method=post action=take><button name=patient value=p1>One</button>
    <button name=patient value=p2>Two</button><button name=leave value=1>Cancel</button></form>"""
    app = picking(body, lambda sent: ",".join(sorted(sent)))
    assert drive(app, choose=Choices(patient="p2")).code == "patient"
    assert drive(app, choose=Choices(deny=True)).code == "leave"
    with pytest.raises(LoginFailed, match="'p3' is not among the 2"):
        drive(app, choose=Choices(patient="p3"))


def test_denying_everything_presses_the_button_that_says_so() -> None:
    app = picking(CONSENT, lambda sent: sent["decision"])
    assert drive(app, choose=Choices(deny=True)).code == "deny"


def test_it_is_told_whether_the_request_was_declined() -> None:
    app = picking(CONSENT, lambda sent: sent["decision"])
    assert drive_to_arrival(app, choose=Choices(deny=True)).denied
    assert not drive_to_arrival(app).denied
    assert not drive_to_arrival(signing_in(), choose=Choices(deny=True)).denied


def test_no_to_something_else_declines_nothing() -> None:
    body = """Stay signed in?<form method=post action=take>
    <button name=keep value=no>No</button><button name=keep value=yes>Yes</button></form>"""
    app = picking(body, lambda sent: sent["keep"])
    arrival = drive_to_arrival(app, choose=Choices(deny=True))
    assert (arrival.response.code, arrival.denied) == ("no", False)


def test_a_denial_that_ends_on_a_page_is_known_as_one() -> None:
    app = signing_in(showing(CONSENT), auth__take=showing("<p>Nothing is shared."))
    with pytest.raises(LoginFailed) as stuck:
        drive(app, choose=Choices(deny=True))
    assert stuck.value.denied


def test_a_consent_by_radio_buttons_is_answered() -> None:
    body = """<form method=post action=take><input type=radio name=answer value=deny checked>
    <input type=radio name=answer value=allow><input type=radio name=period value=day checked>
    <input type=radio name=period value=week><input type=image name=go></form>"""
    app = picking(body, lambda sent: " ".join(f"{k}={v}" for k, v in sorted(sent.items())))
    assert drive(app).code == "answer=allow go.x=1 go.y=1 period=day"


def test_denying_may_be_a_link() -> None:
    body = """<form method=post action=take><button>Allow</button></form>
    <a href="take?said=no">Deny access</a>"""
    app = picking(body, lambda sent: sent.get("said", "yes"))
    assert drive(app, choose=Choices(deny=True)).code == "no"
    assert drive(app).code == "yes"


def test_a_select_without_the_wanted_patient_is_named() -> None:
    body = "<form method=post action=take><select name=pt><option>p1<option>p2</select></form>"
    app = picking(body, lambda sent: sent["pt"])
    named = login(fields={"patient": "pt"})
    assert drive(app, as_login=named, choose=Choices(patient="p2")).code == "p2"
    with pytest.raises(LoginFailed, match="'p9' is not among the 2"):
        drive(app, as_login=named, choose=Choices(patient="p9"))


def test_the_same_form_over_and_over_is_given_up() -> None:
    async def again(_: Asked) -> Answered:
        return page("<form method=post action=/auth/take><button>Continue</button></form>")

    with pytest.raises(LoginFailed, match="the same form came back 3 times"):
        drive(signing_in(again, auth__take=again))


def test_a_form_that_sets_a_new_password_is_left_to_a_person() -> None:
    body = "<form method=post><input name=user><input type=password name=a><input type=password"
    with pytest.raises(LoginFailed, match="set a new password"):
        drive(app_of(auth__authorize=showing(f"{body} name=b></form>")))


def test_a_login_form_without_a_user_name_says_which_key_names_it() -> None:
    body = "<form method=post><input type=password name=a></form>"
    with pytest.raises(LoginFailed, match=r"fields\.username"):
        drive(app_of(auth__authorize=showing(body)))


def test_a_page_in_an_odd_charset_is_still_read() -> None:
    async def start(asked: Asked) -> Answered:
        body = LOGIN_FORM.encode()
        answer = Answered(body, media_type="text/html; charset=klingon")
        answer.set_cookie("state", asked.query_params["state"])
        return answer

    assert drive(app_of(auth__authorize=start, auth__login=done)).code == "c-1"


def test_a_redirect_to_what_is_no_url_is_named() -> None:
    async def start(_: Asked) -> Answered:
        return Answered(status_code=302, headers={"Location": "https://[::1"})

    with pytest.raises(LoginFailed, match="redirects to what is no URL"):
        drive(app_of(auth__authorize=start))


def test_a_login_that_only_refreshes_does_not_sign_in() -> None:
    async def go() -> None:
        async with client_of(signing_in()) as http:
            await by_driver(
                http,
                authorization_request(),
                login(driver=DriverKind.REFRESH_TOKEN),
                Secrets({}),
                EhrFile("e", "E", "https://ehr.example.org/fhir", AuthSpec()),
            )

    with pytest.raises(NotConfigured, match="does not sign in"):
        asyncio.run(go())


def test_a_patient_beyond_the_first_few_is_searched_for() -> None:
    async def pick(asked: Asked) -> Answered:
        shown = asked.query_params.get("q") or "p1"
        return page(f"""<form action=/auth/pick><input type=search name=q><button>Find</button>
            </form><form method=post action=/auth/take>
            <input type=radio name=patient value={shown}><button>Continue</button></form>""")

    async def take(asked: Asked) -> Answered:
        return back(asked.cookies["state"], code=(await fields_of(asked))["patient"])

    app = signing_in(pick, auth__pick=pick, auth__take=take)
    assert drive(app, choose=Choices(patient="p77")).code == "p77"
    assert drive(app).code == "p1"


def test_the_redirect_uri_is_never_asked_itself() -> None:
    async def start(asked: Asked) -> Answered:
        state = asked.query_params["state"]
        return page(f"""<form action="/search"><input name=q></form>
            <form method=post action="{REDIRECT}"><input type=hidden name=state value={state}>
            <input type=hidden name=error value=access_denied><button>Continue</button></form>""")

    response = drive(app_of(auth__authorize=start))
    assert (response.error, response.state_matches) == ("access_denied", True)


def test_pages_that_only_pass_on_are_passed() -> None:
    auto = """<body onload="document.forms[0].submit()"><form method=post action=/auth/second>
    <input type=hidden name=token value=t></form>"""

    async def first(_: Asked) -> Answered:
        return page(auto)

    async def second(asked: Asked) -> Answered:
        assert await fields_of(asked) == {"token": "t"}
        return page('<meta http-equiv="Refresh" content="0; URL=\'third?a=1\'">')

    async def third(asked: Asked) -> Answered:
        assert asked.query_params["a"] == "1"
        return page('<script>window.location.href = "/auth/fourth";</script>')

    async def fourth(_: Asked) -> Answered:
        return page('<a href="/auth/logout">Log out</a> <a href="/auth/end">Continue</a>')

    app = signing_in(
        first, auth__second=second, auth__third=third, auth__fourth=fourth, auth__end=done
    )
    assert drive(app).code == "c-1"


def test_the_user_name_may_be_asked_for_first() -> None:
    async def start(asked: Asked) -> Answered:
        answer = page(
            "<form method=post action=next><input type=email name=identifier><button>Next</button>"
        )
        answer.set_cookie("state", asked.query_params["state"])
        return answer

    async def then(asked: Asked) -> Answered:
        assert await fields_of(asked) == {"identifier": "camila"}
        return page("<form method=post action=end><input type=password name=pw></form>")

    async def end(asked: Asked) -> Answered:
        assert await fields_of(asked) == {"pw": PASSWORD}
        return await done(asked)

    assert drive(app_of(auth__authorize=start, auth__next=then, auth__end=end)).code == "c-1"


def test_fields_named_in_the_ehr_file_win() -> None:
    async def start(_: Asked) -> Answered:
        return page(
            "<form method=post action=end><input name=a><input name=email>"
            "<input type=password name=pw>"
        )

    async def end(asked: Asked) -> Answered:
        return back("", code=(await fields_of(asked))["a"])

    app = app_of(auth__authorize=start, auth__end=end)
    assert drive(app, as_login=login(fields={"username": "a"})).code == "camila"


def test_the_way_in_may_be_named_where_a_form_has_several() -> None:
    async def start(_: Asked) -> Answered:
        return page("""<form method=post action=end><input name=username>
            <input type=password name=pw><button name=role value=staff>Staff login</button>
            <button name=role value=portal>Patient login</button></form>""")

    async def end(asked: Asked) -> Answered:
        return back("", code=(await fields_of(asked))["role"])

    app = app_of(auth__authorize=start, auth__end=end)
    assert drive(app).code == "staff"
    assert drive(app, as_login=login(fields={"submit": "portal"})).code == "portal"


def test_form_post_answers_are_read_from_the_page() -> None:
    async def finish(asked: Asked) -> Answered:
        state = asked.cookies["state"]
        return page(
            f"<form method=post action={REDIRECT}><input type=hidden name=code value=c-2>"
            f"<input type=hidden name=state value={state}></form>"
        )

    response = drive(signing_in(finish))
    assert (response.code, response.state_matches) == ("c-2", True)


def test_the_request_itself_may_be_posted() -> None:
    async def start(asked: Asked) -> Answered:
        return back((await fields_of(asked))["state"], code=asked.method)

    app = app_of(auth__authorize=start)
    assert drive(app, request=authorization_request(post=True)).code == "POST"


def test_a_refusal_comes_back_as_a_value() -> None:
    async def start(asked: Asked) -> Answered:
        return back(asked.query_params["state"], error="invalid_scope")

    response = drive(app_of(auth__authorize=start))
    assert (response.error, response.code) == ("invalid_scope", None)


def test_a_cancel_link_on_the_login_page_is_no_answer() -> None:
    async def start(asked: Asked) -> Answered:
        cancel = f'<a href="{REDIRECT}?error=access_denied">Cancel</a>'
        answer = page(cancel + LOGIN_FORM)
        answer.set_cookie("state", asked.query_params["state"])
        return answer

    assert drive(app_of(auth__authorize=start, auth__login=done)).code == "c-1"


def test_redirects_in_a_circle_end() -> None:
    async def round_and_round(asked: Asked) -> Answered:
        return RedirectResponse(str(asked.url))

    with pytest.raises(LoginFailed, match="in a circle"):
        drive(app_of(auth__authorize=round_and_round))


def test_endless_redirects_end() -> None:
    async def on(asked: Asked) -> Answered:
        return RedirectResponse(f"/auth/authorize?n={int(asked.query_params.get('n', 0)) + 1}")

    with pytest.raises(LoginFailed, match="more than 20 redirects"):
        drive(app_of(auth__authorize=on))


def test_endless_pages_end() -> None:
    async def on(asked: Asked) -> Answered:
        number = int(asked.query_params.get("n", 0)) + 1
        return page(f'<a href="/auth/authorize?n={number}">Continue</a>')

    with pytest.raises(LoginFailed, match="more than 20 pages"):
        drive(app_of(auth__authorize=on))


def test_a_redirect_inward_is_refused() -> None:
    async def inward(_: Asked) -> Answered:
        return RedirectResponse("http://169.254.169.254/latest/meta-data")

    with pytest.raises(HostileInput):
        drive(app_of(auth__authorize=inward))


def test_credentials_stay_with_the_origins_that_are_trusted() -> None:
    async def start(_: Asked) -> Answered:
        return page(LOGIN_FORM.replace('action="login"', 'action="https://idp.example.net/login"'))

    async def end(_: Asked) -> Answered:
        return back("", code="c-3")

    app = app_of(auth__authorize=start, login=end)
    with pytest.raises(LoginFailed, match=r"add \"https://idp.example.net\" to auth.extra_origins"):
        drive(app)
    assert drive(app, extra_origins=["https://idp.example.net"]).code == "c-3"


def test_a_temporary_redirect_does_not_carry_the_password_elsewhere() -> None:
    async def elsewhere(_: Asked) -> Answered:
        return RedirectResponse("https://evil.example.net/collect", 307)

    with pytest.raises(LoginFailed, match="not trusted"):
        drive(signing_in(elsewhere))


def test_a_password_never_goes_into_a_url() -> None:
    async def start(_: Asked) -> Answered:
        return page("<form><input name=user><input type=password name=pw><button>Go</button>")

    with pytest.raises(LoginFailed, match="would put the password into the URL"):
        drive(app_of(auth__authorize=start))


def test_a_one_time_code_is_named_as_what_is_in_the_way() -> None:
    body = "<form method=post action=take><input name=otp required><button>Verify</button></form>"
    with pytest.raises(LoginFailed, match="one-time code"):
        drive(picking(body, str))


def test_a_page_without_a_way_on_is_described() -> None:
    async def start(_: Asked) -> Answered:
        return page("<p>client is unknown\x1b[2J</p>", 400, title="Oops")

    with pytest.raises(
        LoginFailed, match=r"GET /auth/authorize: page 'Oops' \(status 400"
    ) as stuck:
        drive(app_of(auth__authorize=start))
    assert "client is unknown" in str(stuck.value)
    assert "\x1b" not in str(stuck.value)


def test_an_answer_that_is_no_page_is_named() -> None:
    async def start(_: Asked) -> Answered:
        return PlainTextResponse("down", 503)

    with pytest.raises(LoginFailed, match="expected a page or a redirect, got 503 with text/plain"):
        drive(app_of(auth__authorize=start))


def test_declining_needs_a_match_to_the_letter() -> None:
    choose = Choices(decline=frozenset({"patient/Observation.rs"}))
    assert choose.declined(["patient/Observation.rs", "patient/Observation.c"]) == (
        Scope.parse("patient/Observation.rs"),
    )
