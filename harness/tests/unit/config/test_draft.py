from __future__ import annotations

from datetime import date
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.config import document
from harness.config.draft import Advertised, draft
from harness.config.ehr import AuthKind, ClientAuth, EhrFile, SecretRef, Strategy
from harness.config.load import ehr_from

ON = date(2026, 3, 1)
WORDS = st.lists(st.text(max_size=30), max_size=4).map(tuple)


def drafted(said: Advertised, name: str = "a-b") -> EhrFile:
    return ehr_from(document.parse(draft(name, said, ON), name), Path(f"{name}.toml"))


@given(
    st.builds(
        Advertised,
        fhir_base=st.just("https://ehr.example/r4"),
        title=st.none() | st.text(max_size=300),
        kind=st.sampled_from(["smart", "basic", "none"]),
        capabilities=WORDS,
        scopes=WORDS,
        auth_methods=WORDS,
        grants=WORDS | st.just(("client_credentials",)),
        observation=WORDS,
        observation_search=WORDS,
        sources=st.text(min_size=1, max_size=30).map(lambda text: f"seen {text}"),
    )
)
def test_whatever_a_server_says_the_file_loads_and_decides_nothing(said: Advertised) -> None:
    ehr = drafted(said)
    assert ehr.fhir_base == "https://ehr.example/r4"
    assert ehr.auth.kind.value == said.kind
    assert ehr.permit == frozenset()
    assert ehr.auth.token_endpoint is None
    assert all(ref.name.startswith("A_B_") for _, ref in ehr.references())


def test_a_title_of_control_characters_is_no_title() -> None:
    assert drafted(Advertised("https://ehr.example/r4", title="\x00 \n")).title == "a-b"


def test_basic_authentication_asks_for_its_two_secrets() -> None:
    ehr = drafted(Advertised("https://ehr.example/r4", kind="basic"))
    assert ehr.auth.kind is AuthKind.BASIC
    assert ehr.auth.username == SecretRef("env", "A_B_USERNAME")
    assert ehr.clients == ()


def test_endpoints_on_another_origin_are_shown_for_the_person_to_confirm() -> None:
    said = Advertised("https://ehr.example/r4", origins=("https://login.example",))
    assert drafted(said).auth.extra_origins == ("https://login.example",)


def test_a_server_that_takes_only_keys_gets_a_client_with_a_key() -> None:
    said = Advertised("https://ehr.example/r4", auth_methods=("private_key_jwt",))
    assert drafted(said).clients[0].auth is ClientAuth.PRIVATE_KEY_JWT


def test_scopes_follow_the_version_that_the_server_claims_alone() -> None:
    old = Advertised("https://ehr.example/r4", capabilities=("permission-v1",))
    both = Advertised("https://ehr.example/r4", capabilities=("permission-v1", "permission-v2"))
    assert "patient/Observation.read" in drafted(old).launches[0].scopes
    assert "patient/Observation.rs" in drafted(both).launches[0].scopes


def test_changes_are_found_by_last_updated_only_where_that_is_advertised() -> None:
    with_it = Advertised("https://ehr.example/r4", observation_search=("_lastupdated",))
    assert drafted(with_it).sync.strategy is Strategy.LAST_UPDATED
    assert drafted(Advertised("https://ehr.example/r4")).sync.strategy is Strategy.DATE_WINDOW
