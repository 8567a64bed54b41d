"""An EHR starts the application: by a URL, by its pages, or by a person."""

from __future__ import annotations

import asyncio
import secrets as randomness
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from starlette.requests import Request as Asked
from starlette.responses import RedirectResponse
from starlette.responses import Response as Answered

from harness.config.ehr import (
    AuthorizeMethod,
    AuthSpec,
    DriverKind,
    EhrFile,
    LaunchKind,
    LaunchSource,
    LaunchSpec,
    Login,
    OAuthClient,
    SecretRef,
)
from harness.config.load import ehr_from
from harness.config.secrets import Secrets
from harness.errors import ConfigError, HostileInput, LoginFailed, NotConfigured, ProtocolError
from harness.http.clock import ManualClock
from harness.smart.discovery import from_exchanges
from harness.smart.ehr_launch import LaunchContext, launch_uri, received, with_launch
from harness.smart.launch import Launch, Launcher
from harness.tests.unit.smart.site import (
    AUTHORIZE,
    BASE,
    REDIRECT,
    Handler,
    app_of,
    client_of,
    fields_of,
    page,
)

PASSWORD = randomness.token_urlsafe(12)
LAUNCH_URI = "https://app.example.org/launch"
START = "https://ehr.example.org/start"
CLIENT = OAuthClient("rpm", "rpm-client-id", redirect_uri=REDIRECT)
LOGIN = Login("clinician", username="house", password=SecretRef("env", "PASSWORD"), patient="p2")
SPEC = LaunchSpec(
    "ehr",
    LaunchKind.EHR,
    "rpm",
    "clinician",
    ("openid", "user/Observation.rs"),
    LaunchSource.FORM,
    START,
)
SIGN_IN = """<form method=post action=signin><input name=username>
<input type=password name=password><button>Sign in</button></form>"""


def to_app(handle: str = "h-1", to: str = LAUNCH_URI, **more: str) -> RedirectResponse:
    return RedirectResponse(f"{to}?{urlencode({'iss': BASE, 'launch': handle} | more)}", 302)


def link(text: str = "Launch", **more: str) -> str:
    query = urlencode({"iss": BASE, "launch": "h-1"} | more)
    return f'<a href="{LAUNCH_URI}?{query}">{text}</a>'


def ehr_of(client: OAuthClient = CLIENT, login: Login = LOGIN) -> EhrFile:
    auth = AuthSpec(
        authorization_endpoint=AUTHORIZE, token_endpoint="https://ehr.example.org/token"
    )
    return EhrFile("e", "E", BASE, auth, clients=(client,), logins=(login,))


def receive(app: Any, spec: LaunchSpec = SPEC, **how: Any) -> LaunchContext:
    client = how.pop("client", CLIENT)
    login = how.pop("login", LOGIN)

    async def go() -> LaunchContext:
        async with client_of(app) as http:
            secrets = Secrets({"PASSWORD": PASSWORD})
            return await received(http, ehr_of(client, login), spec, login, secrets, **how)

    return asyncio.run(go())


def always(answer: Answered) -> Handler:
    async def handle(_: Asked) -> Answered:
        return answer

    return handle


def ehr_site(dashboard: str, **more: Handler) -> Any:
    """An EHR whose start page needs a login, and then shows `dashboard`."""

    async def start(asked: Asked) -> Answered:
        return page(dashboard if asked.cookies.get("session") == "s-1" else SIGN_IN)

    async def signin(asked: Asked) -> Answered:
        if await fields_of(asked) != {"username": "house", "password": PASSWORD}:
            return page(SIGN_IN, 401)
        answer = RedirectResponse("/start", 303)
        answer.set_cookie("session", "s-1", path="/")
        return answer

    return app_of(start=start, signin=signin, **more)


BY_URL = replace(SPEC, source=LaunchSource.URL)


def test_a_launch_by_url_follows_redirects_to_the_launch_uri_and_no_further() -> None:
    app = app_of(start=always(RedirectResponse("/go", 302)), go=always(to_app()))
    context = receive(app, BY_URL)
    assert (context.iss, context.launch) == (BASE, "h-1")
    assert context.url.startswith(f"{LAUNCH_URI}?")
    assert [each.status for each in context.exchanges] == [302, 302]
    assert context.is_for(ehr_of())
    assert not context.posted


def test_a_launch_url_may_be_a_path_that_counts_from_the_base() -> None:
    spec = replace(BY_URL, launch_url="../start?app=1")
    context = receive(app_of(start=always(to_app())), spec)
    assert [each.request.url for each in context.exchanges] == [f"{START}?app=1"]


@pytest.mark.parametrize(
    "uri", ["org.example.app:/launch", "http://127.0.0.1:54321/launch", "http://[::1]:8/a/launch"]
)
def test_a_launch_uri_of_any_scheme_and_port_is_caught(uri: str) -> None:
    client = replace(CLIENT, launch_uri=uri)
    app = app_of(start=always(to_app(to=uri)))
    assert receive(app, BY_URL, client=client).launch == "h-1"


@pytest.mark.parametrize(
    "body",
    [
        f'<meta http-equiv=refresh content="0; url={LAUNCH_URI}?iss=x&launch=h-1">',
        f'<iframe src="{LAUNCH_URI}?iss=x&launch=h-1"></iframe>',
        f"<script>location.replace('{LAUNCH_URI}?iss=x&launch=h-1')</script>",
        f"<script>window.open('{LAUNCH_URI}?iss=x&launch=h-1', 'app')</script>",
        f"""<form action="{LAUNCH_URI}"><input type=hidden name=iss value=x>
        <input type=hidden name=launch value=h-1></form>""",
    ],
    ids=["refresh", "frame", "script", "window", "form"],
)
def test_a_page_may_start_the_application_by_itself(body: str) -> None:
    context = receive(app_of(start=always(page(body))), BY_URL)
    assert (context.iss, context.launch) == ("x", "h-1")
    assert not context.is_for(ehr_of())


def test_a_launch_url_that_asks_for_more_names_the_source_to_use() -> None:
    with pytest.raises(LoginFailed, match='source = "form"'):
        receive(app_of(start=always(page(SIGN_IN))), BY_URL)


def test_redirects_in_a_circle_are_given_up() -> None:
    with pytest.raises(LoginFailed, match="redirects in a circle"):
        receive(app_of(start=always(RedirectResponse("/start", 302))), BY_URL)


@pytest.mark.parametrize(
    "uri", ["https://app.example.org/other", "http://127.0.0.1:1/launch", "other.app:/launch"]
)
def test_a_launch_at_another_uri_is_not_followed_there(uri: str) -> None:
    app = app_of(start=always(to_app(to=uri)))
    with pytest.raises(LoginFailed, match=f"at {uri}, and not at {LAUNCH_URI} .set launch_uri"):
        receive(app, BY_URL)
    inside = app_of(start=always(to_app(to="https://ehr.example.org/go")), go=always(to_app()))
    assert receive(inside, BY_URL).launch == "h-1"


def test_a_redirect_to_a_private_address_is_refused() -> None:
    app = app_of(start=always(RedirectResponse("http://10.0.0.1/launch?launch=x", 302)))
    with pytest.raises(HostileInput, match="private"):
        receive(app, BY_URL)


def test_what_lacks_iss_or_launch_or_repeats_it_is_a_value_to_judge() -> None:
    bare = receive(
        app_of(start=always(RedirectResponse(f"{LAUNCH_URI}?launch=a&launch=b"))), BY_URL
    )
    assert (bare.iss, bare.launch, bare.duplicates) == ("", "a", ("launch",))


def test_a_launch_that_is_posted_says_so() -> None:
    body = f"""<form method=post action="{LAUNCH_URI}"><input type=hidden name=iss value=x>
    <input type=hidden name=launch value=h-1></form>"""
    assert receive(app_of(start=always(page(body)))).posted


def test_the_handle_is_not_shown() -> None:
    handle = randomness.token_urlsafe(12)
    context = receive(app_of(start=always(to_app(handle))), BY_URL)
    assert context.launch == handle
    assert handle not in repr(context)


FORM = """<form method=post action=go><select name=app><option value=other-id>Growth chart
<option value=rpm-client-id>RPM</select><select name=patient><option value="">Choose
<option value=p1>One<option value=p2>Two</select><button>Launch</button></form>"""
RADIOS = """<form method=post action=go><input type=radio name=client_id value=other-id checked>
<input type=radio name=client_id value=rpm-client-id>RPM<input type=radio name=patient value=p1>
<input type=radio name=patient value=p2><button name=cancel value=1>Cancel</button>
<button>Launch app</button></form>"""


@pytest.mark.parametrize("body", [FORM, RADIOS], ids=["selects", "radios"])
def test_application_and_patient_are_chosen_in_a_form(body: str) -> None:
    async def go(asked: Asked) -> Answered:
        sent = await fields_of(asked)
        assert "cancel" not in sent
        return to_app(f"{sent.get('app', sent.get('client_id'))}/{sent['patient']}")

    assert receive(ehr_site(body, go=go)).launch == "rpm-client-id/p2"


def test_an_application_that_is_not_offered_is_never_replaced_by_another() -> None:
    body = FORM.replace("rpm-client-id", "third-id").replace("RPM", "Third")
    with pytest.raises(LoginFailed, match="none is called 'rpm-client-id'"):
        receive(ehr_site(body, go=always(to_app())))


def test_a_patient_that_is_not_offered_is_never_replaced_by_another() -> None:
    with pytest.raises(LoginFailed, match="'p9' is not among the 3"):
        receive(ehr_site(FORM), login=replace(LOGIN, patient="p9"))


async def chart(asked: Asked) -> Answered:
    patient = asked.query_params["id"]
    apps = "".join(
        f"<li><a href='/go?app={app}&patient={patient}'>{app}</a>"
        for app in ("x-id", "rpm-client-id")
    )
    return page(f"<a href='/chart?id={patient}'>{patient}</a><a href='/logout'>Log out</a>{apps}")


async def go_by_query(asked: Asked) -> Answered:
    return to_app("/".join(asked.query_params.values()))


def test_links_are_followed_to_the_patient_and_then_to_the_application() -> None:
    patients = "<a href='/chart?id=p1'>One</a><a href='/chart?id=p2'>Two</a><a href=/help>Help</a>"
    assert receive(ehr_site(patients, chart=chart, go=go_by_query)).launch == "rpm-client-id/p2"


def test_a_table_of_links_is_read_by_what_they_name() -> None:
    rows = "".join(
        f"<a href='/go?app={app}&patient={patient}'>Launch</a>"
        for patient in ("p1", "p2")
        for app in ("other-id", "rpm-client-id")
    )
    assert receive(ehr_site(rows, go=go_by_query)).launch == "rpm-client-id/p2"


def test_a_patient_who_is_not_shown_is_searched_for() -> None:
    async def find(asked: Asked) -> Answered:
        found = asked.query_params["q"]
        return page(f"<a href='/chart?id={found}'>{found}</a>")

    body = """<form action=find><input type=search name=q><button>Search</button></form>
    <a href='/go?app=rpm-client-id&patient=p7'>RPM for Seven</a>"""
    app = ehr_site(body, find=find, chart=chart, go=go_by_query)
    assert receive(app).launch == "rpm-client-id/p2"


def test_applications_for_unnamed_patients_are_not_guessed_at() -> None:
    rows = "<a href='/go?app=rpm-client-id&n=1'>A</a><a href='/go?app=rpm-client-id&n=2'>B</a>"
    with pytest.raises(LoginFailed, match="'p2' is not among the 2"):
        receive(ehr_site(rows, go=go_by_query))


def test_a_link_to_the_launch_uri_is_taken_with_the_right_patient() -> None:
    rows = link("Patient p1", launch="h-p1") + link("Patient p2", launch="h-p2")
    assert receive(ehr_site(rows)).launch == "h-p2"
    assert receive(ehr_site(link())).launch == "h-1"
    with pytest.raises(LoginFailed, match="none of which names 'p9'"):
        receive(ehr_site(rows), login=replace(LOGIN, patient="p9"))


def test_a_bookmark_of_the_application_is_no_launch() -> None:
    body = f"<a href='{LAUNCH_URI}'>RPM website</a><a href='/go?app=rpm-client-id'>Start RPM</a>"
    assert receive(ehr_site(body, go=always(to_app()))).launch == "h-1"


def test_a_button_that_only_says_launch_is_pressed() -> None:
    body = "<form method=post action=go><input type=hidden name=t value=1><button>Launch"
    assert receive(ehr_site(body, go=always(to_app()))).launch == "h-1"


def test_a_link_that_only_says_launch_is_followed() -> None:
    body = "<a href=/elsewhere>News</a><a href=/go>Launch</a>"
    assert receive(ehr_site(body, go=always(to_app()))).launch == "h-1"


def test_a_one_time_code_is_named_as_what_is_in_the_way() -> None:
    body = "<form method=post action=/otp><input name=otp required></form>"
    with pytest.raises(LoginFailed, match="second factor"):
        receive(ehr_site(body))


def test_a_page_without_a_way_on_says_what_to_check() -> None:
    with pytest.raises(LoginFailed, match="starts the application") as failure:
        receive(ehr_site("<p>Welcome"))
    assert PASSWORD not in str(failure.value)


def test_a_wrong_password_is_named_as_such() -> None:
    with pytest.raises(LoginFailed, match="was not accepted"):
        receive(ehr_site(link()), login=replace(LOGIN, username="nobody"))


def test_credentials_go_to_no_origin_that_is_not_trusted() -> None:
    form = SIGN_IN.replace("action=signin", "action=https://elsewhere.example.org/signin")
    with pytest.raises(LoginFailed, match="not trusted"):
        receive(app_of(start=always(page(form))))


def test_a_source_that_cannot_be_driven_is_not_configured() -> None:
    for spec in (
        replace(SPEC, source=LaunchSource.BROWSER),
        replace(SPEC, source=None),
        replace(SPEC, launch_url=None),
    ):
        with pytest.raises(NotConfigured, match="expected url or form"):
            receive(app_of(), spec)


def test_the_launch_uri_lies_beside_the_redirect_uri_unless_registered() -> None:
    for redirect, expected in (
        ("https://app.example/a/callback?x=1", "https://app.example/a/launch"),
        ("http://127.0.0.1:8765/callback", "http://127.0.0.1:8765/launch"),
        ("com.example.app:/callback", "com.example.app:/launch"),
        ("https://app.example", "https://app.example/launch"),
    ):
        assert launch_uri(OAuthClient("c", "c", redirect_uri=redirect)) == expected
    assert launch_uri(OAuthClient("c", "c", launch_uri="x:/go")) == "x:/go"
    with pytest.raises(ConfigError, match="no launch_uri"):
        launch_uri(OAuthClient("c", "c"))


def test_the_scope_launch_is_asked_for_once() -> None:
    assert with_launch(("openid",)) == ("launch", "openid")
    assert with_launch(("openid", "launch")) == ("openid", "launch")


def launched(app: Any, spec: LaunchSpec = SPEC) -> Launch:
    async def go() -> Launch:
        clock = ManualClock()
        async with client_of(app, clock) as http:
            ehr = ehr_of()
            secrets = Secrets({"PASSWORD": PASSWORD})
            found = from_exchanges(ehr, None)
            launcher = Launcher(http, ehr, found, secrets, clock, randomness.token_bytes)
            return await launcher.performed(spec)

    return asyncio.run(go())


@pytest.mark.parametrize("method", AuthorizeMethod)
def test_the_session_at_the_ehr_carries_over_to_the_authorization(method: AuthorizeMethod) -> None:
    async def authorize(asked: Asked) -> Answered:
        posted = await fields_of(asked)
        assert asked.method == method.value.upper()
        sent = posted or dict(asked.query_params)
        assert (sent["launch"], sent["aud"]) == ("h-1", BASE)
        assert sent["scope"].split()[0] == "launch"
        if asked.method == "POST":
            assert asked.headers["Origin"] == "https://app.example.org"
        code = "c-1" if asked.cookies.get("session") == "s-1" else "stranger"
        return RedirectResponse(f"{REDIRECT}?code={code}&state={sent['state']}", 302)

    async def token(asked: Asked) -> Answered:
        return Answered((await fields_of(asked))["code"])

    app = ehr_site(link(), auth__authorize=authorize, token=token)
    launch = launched(app, replace(SPEC, method=method))
    assert launch.context is not None
    assert launch.response.code == "c-1"
    assert launch.exchange is not None
    assert launch.exchange.body == b"c-1"


@pytest.mark.parametrize("start", [{"iss": "https://evil.example.org/fhir"}, {"launch": ""}])
def test_a_launch_for_another_ehr_is_not_followed(start: dict[str, str]) -> None:
    with pytest.raises(ProtocolError, match=r"expected both, and iss https://ehr\.example\.org"):
        launched(ehr_site(link(**start)))


async def visit(uri: str, target: str) -> str:
    parts = urlsplit(uri)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return answer.split("\r\n", 1)[0]


def test_a_person_starts_the_application_and_the_listener_takes_the_launch() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}/launch"
    said: list[str] = []
    answers: list[str] = []
    spec = replace(SPEC, source=LaunchSource.MANUAL)

    async def go() -> LaunchContext:
        async with client_of(app_of()) as http:
            ehr = ehr_of(replace(CLIENT, launch_uri=uri))
            waiting = asyncio.create_task(
                received(http, ehr, spec, LOGIN, Secrets({}), say=said.append, patience=20)
            )
            for target in ("/launch", "/launch?iss=https://ehr.example.org/fhir&launch=h-5"):
                while not waiting.done():
                    with suppress(ConnectionError):
                        answers.append(await visit(uri, target))
                        break
                    await asyncio.sleep(0)
            return await waiting

    context = asyncio.run(go())
    assert (context.iss, context.launch) == (BASE, "h-5")
    assert [answer.split(" ")[1] for answer in answers] == ["400", "200"]
    assert START in "".join(said)
    assert uri in "".join(said)


def test_elsewhere_the_address_of_the_launch_is_pasted() -> None:
    lines = iter(["nonsense", f"{LAUNCH_URI}?iss={BASE}&launch=h-6"])
    said: list[str] = []

    async def ask(_: str) -> str:
        return next(lines)

    spec = replace(SPEC, source=LaunchSource.MANUAL, launch_url=None)
    assert receive(app_of(), spec, say=said.append, ask=ask).launch == "h-6"
    assert said[0] == "Open the EHR"
    assert said[-1] == f"expected an address that starts with {LAUNCH_URI}"


def test_a_launch_that_never_comes_is_given_up() -> None:
    async def ask(_: str) -> str:
        return "https://elsewhere.example.org/"

    spec = replace(SPEC, source=LaunchSource.MANUAL)
    with pytest.raises(LoginFailed, match="no address was pasted"):
        receive(app_of(), spec, say=lambda _: None, ask=ask)

    async def never(_: str) -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(LoginFailed, match="came within 0 s"):
        receive(app_of(), spec, say=lambda _: None, ask=never, patience=0.01)


def test_launch_and_login_by_hand_follow_one_another_on_one_port(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = replace(CLIENT, redirect_uri=f"{place}/callback")
    ehr = ehr_of(client, Login("clinician", DriverKind.MANUAL))

    async def token(asked: Asked) -> Answered:
        return Answered((await fields_of(asked))["code"])

    async def visited(waiting: asyncio.Task[Launch], path: str) -> str:
        while not waiting.done():
            with suppress(ConnectionError):
                return await visit(place, path)
            await asyncio.sleep(0)
        raise AssertionError("nobody listened")

    async def go() -> Launch:
        clock = ManualClock()
        async with client_of(app_of(token=token), clock) as http:
            found = from_exchanges(ehr, None)
            launcher = Launcher(http, ehr, found, Secrets({}), clock, randomness.token_bytes)
            spec = replace(SPEC, source=LaunchSource.MANUAL)
            waiting = asyncio.create_task(launcher.performed(spec))
            query = urlencode({"iss": BASE, "launch": "h-8"})
            assert " 200 " in await visited(waiting, f"/launch?{query}")
            said = ""
            while f"{AUTHORIZE}?" not in said:
                await asyncio.sleep(0)
                said += capsys.readouterr().err
            asked = dict(parse_qsl(urlsplit(said.split(AUTHORIZE)[1].split()[0]).query))
            assert asked["launch"] == "h-8"
            answer = urlencode({"code": "c-8", "state": asked["state"]})
            assert " 200 " in await visited(waiting, f"/callback?{answer}")
            return await waiting

    launch = asyncio.run(go())
    assert launch.exchange is not None
    assert launch.exchange.body == b"c-8"


FILE: dict[str, Any] = {
    "title": "E",
    "fhir_base": BASE,
    "auth": {"kind": "smart"},
    "clients": [{"name": "rpm", "id": "rpm", "redirect_uri": REDIRECT, "launch_uri": LAUNCH_URI}],
    "logins": [{"name": "clinician"}],
    "launches": [
        {
            "name": "ehr",
            "kind": "ehr",
            "client": "rpm",
            "login": "clinician",
            "scopes": "openid",
            "source": "url",
            "launch_url": START,
            "method": "post",
        }
    ],
}


def test_an_ehr_file_names_launch_uri_and_method() -> None:
    ehr = ehr_from(FILE, Path("e.toml"))
    assert launch_uri(ehr.clients[0]) == LAUNCH_URI
    assert ehr.launches[0].method is AuthorizeMethod.POST
    clients = [FILE["clients"][0] | {"launch_uri": "http://app.example.org/launch"}]
    with pytest.raises(ConfigError, match=r"clients\[0\]\.launch_uri: expected https"):
        ehr_from(FILE | {"clients": clients}, Path("e.toml"))
