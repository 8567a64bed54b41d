"""The parts of the authorization server that need no socket."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from harness.errors import ConfigError
from harness.reference.access import Access
from harness.reference.clients import Client
from harness.reference.clock import InstanceClock
from harness.reference.credentials import BACKEND_SECRET, PRIVATE_KEY, Credentials
from harness.reference.oauth import pages, portal_pages, scopes
from harness.reference.oauth.authorization_request import code_challenge
from harness.reference.oauth.forms import Form, FormRefused
from harness.reference.oauth.ledger import AccessToken, Grant, Ledger, RefreshToken
from harness.reference.oauth.sessions import Sessions
from harness.reference.oauth.wording import describe
from harness.reference.smart import SmartVersion

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOSTILE = "<script>alert('\"&')</script>"
FRAME = pages.Frame("http://ehr/oauth", ((HOSTILE, HOSTILE),), HOSTILE, HOSTILE, (HOSTILE,))
GRANT = Grant(HOSTILE, HOSTILE, (HOSTILE,), granted_at=NOW)
APP = Client(HOSTILE, HOSTILE, frozenset({"none"}))


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=20))
def test_a_form_reads_back_what_was_encoded(pairs: list[tuple[str, str]]) -> None:
    assert Form.parse(urlencode(pairs)).pairs == tuple(pairs)


@given(st.text(max_size=200))
def test_no_text_breaks_the_form_parser(text: str) -> None:
    with contextlib.suppress(FormRefused):
        Form.parse(text)


def test_an_empty_parameter_counts_as_left_out() -> None:
    assert Form.parse("state=&code=1").get("state") is None


def test_too_many_parameters_are_refused() -> None:
    with pytest.raises(FormRefused):
        Form.parse("&".join(f"a{number}=1" for number in range(500)))


def test_the_challenge_is_that_of_the_specification() -> None:
    # RFC 7636, appendix B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("text", ["", " openid", "openid  x", "openid ", 'a"b', "é", "a\tb"])
def test_a_malformed_scope_parameter_is_told_from_a_good_one(text: str) -> None:
    assert scopes.split(text) is None
    assert scopes.split("openid launch/patient openid") == ("openid", "launch/patient")


@pytest.mark.parametrize(
    "page",
    [
        pages.login_page(FRAME, HOSTILE, HOSTILE),
        pages.encounter_page(FRAME, HOSTILE, [(HOSTILE, HOSTILE)]),
        portal_pages.launch_page(FRAME, HOSTILE, [APP], [(HOSTILE, HOSTILE)], HOSTILE),
        portal_pages.manage_page(FRAME, HOSTILE, [(HOSTILE, HOSTILE, GRANT)]),
        pages.picker_page(FRAME, HOSTILE, [(HOSTILE, HOSTILE)], query=HOSTILE, more=1),
        pages.consent_page(FRAME, HOSTILE, HOSTILE, [(HOSTILE, [HOSTILE])]),
        pages.error_page(HOSTILE),
    ],
)
def test_every_value_on_a_page_is_escaped(page: Response) -> None:
    text = bytes(page.body).decode()
    assert "<script" not in text
    assert "alert(&#x27;&quot;&amp;&#x27;)" in text


@pytest.mark.parametrize(
    ("redirect_uri", "source"),
    [
        ("https://app.invalid/cb?x=1", " https://app.invalid;"),
        ("harness.app:/callback", " harness.app:;"),
        ("https://a; script-src *", ";"),
    ],
)
def test_the_policy_lets_the_last_form_lead_to_the_app_alone(
    redirect_uri: str, source: str
) -> None:
    frame = pages.Frame("http://ehr/oauth", (), "2", "App", (redirect_uri,))
    policy = pages.consent_page(frame, "A", None, []).headers["content-security-policy"]
    assert f"form-action 'self'{source}" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize(
    ("requested", "granted", "within"),
    [
        ("patient/Observation.rs", "patient/*.rs", True),
        ("patient/Observation.r", "patient/*.rs", True),
        ("patient/Observation.rs", "patient/Observation.r patient/*.s", True),
        ("patient/Observation.rs?category=x", "patient/Observation.rs", True),
        ("patient/Observation.read", "patient/*.rs", True),
        ("openid", "openid fhirUser", True),
        ("patient/*.rs", "patient/Observation.rs", False),
        ("patient/Observation.cruds", "patient/*.rs", False),
        ("user/Observation.rs", "patient/*.rs", False),
        ("patient/Observation.rs", "patient/Observation.rs?category=x", False),
        ("launch/patient", "patient/*.rs", False),
        ("nonsense", "patient/*.cruds", False),
    ],
)
def test_a_scope_is_covered_by_what_permits_all_of_it(
    requested: str,
    granted: str,
    within: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    asked, held = tuple(requested.split()), tuple(granted.split())
    assert scopes.covered(asked, held, SmartVersion.V2) is within


def test_version_2_scopes_are_not_understood_in_smart_1() -> None:
    held = ("patient/*.read",)
    assert scopes.covered(("patient/Observation.read",), held, SmartVersion.V1)
    assert not scopes.covered(("patient/Observation.rs",), held, SmartVersion.V1)
    assert not [each for each in scopes.supported(SmartVersion.V1) if each.endswith(".rs")]


def test_only_whole_types_of_version_2_have_granular_alternatives() -> None:
    alternatives = scopes.alternatives("user/Condition.rs", SmartVersion.V2)
    assert len(alternatives) == 3
    assert all(each.startswith("user/Condition.rs?category=http://") for each in alternatives)
    for text in ("patient/Patient.rs", "patient/Condition.read", alternatives[0], "patient/*.rs"):
        assert scopes.alternatives(text, SmartVersion.V2) == ()
    assert scopes.alternatives("user/Condition.rs", SmartVersion.V1) == ()


def test_scopes_are_worded_for_a_person() -> None:
    assert describe("patient/*.rs") == "Read, search: everything of the chosen patient"
    granular = describe("user/Observation.rs?category=http://x|laboratory")
    assert granular == "Read, search: Observation that you may see, only category laboratory"


def test_a_clock_only_moves_forward() -> None:
    clock = InstanceClock(NOW)
    clock.advance(60)
    assert clock.now() == NOW + timedelta(minutes=1)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_credentials_differ_between_starts_and_obey_the_environment() -> None:
    one, two = Credentials.from_environment({}), Credentials.from_environment({})
    assert not set(one.values.values()) & set(two.values.values())
    kept = Credentials.from_environment(one.values)
    assert kept.values == one.values
    assert kept.public_keys().keys() == one.public_keys().keys()
    assert all(not key.is_private for key in kept.public_keys().values())


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"kty":"oct","k":"AA"}'])
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigError, match=PRIVATE_KEY):
        Credentials.from_environment({PRIVATE_KEY: text, BACKEND_SECRET: "x"})


def test_the_ledger_forgets_what_is_long_dead() -> None:
    ledger = Ledger()
    grant = Grant("g", "app", ("openid",))
    access = Access("app", ("openid",), None, None, NOW)
    dead = AccessToken("dead", grant, access, NOW - timedelta(days=3), NOW - timedelta(days=2))
    ledger.add_tokens(dead, RefreshToken("old", grant, NOW - timedelta(seconds=1)), NOW)
    for number in range(2000):
        live = AccessToken(str(number), grant, access, NOW, NOW + timedelta(hours=1))
        ledger.add_tokens(live, None, NOW)
    assert "dead" not in ledger.access_tokens
    assert "old" not in ledger.refresh_tokens
    assert len(ledger.access_tokens) == 2000


def test_an_assertion_identifier_may_return_after_it_expired() -> None:
    ledger = Ledger()
    assert ledger.first_use("app", "1", NOW + timedelta(minutes=5), NOW)
    assert not ledger.first_use("app", "1", NOW + timedelta(minutes=5), NOW)
    assert ledger.first_use("other", "1", NOW + timedelta(minutes=5), NOW)
    later = NOW + timedelta(minutes=6)
    assert ledger.first_use("app", "1", later + timedelta(minutes=5), later)


def test_sessions_that_ended_do_not_pile_up() -> None:
    sessions = Sessions()
    for hour in range(5000):
        sessions.start(NOW + timedelta(hours=hour))
    assert len(sessions.sessions) < 4100
    last = sessions.start(NOW + timedelta(hours=5000))
    assert sessions.find(last.session_id, NOW + timedelta(hours=5000)) is last
    assert sessions.find(last.session_id, NOW + timedelta(hours=5009)) is None
