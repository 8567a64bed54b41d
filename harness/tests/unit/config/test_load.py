from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from harness.config.ehr import (
    ClientAuth,
    DataKind,
    EhrFile,
    Environment,
    Grant,
    LaunchKind,
    LaunchSource,
    Permit,
    SecretRef,
    Strategy,
)
from harness.config.load import ehr_at, with_base
from harness.errors import ConfigError, ExitStatus
from harness.tests.unit.config.conftest import SMALL

Load = Callable[[str], EhrFile]
Refusal = Callable[[str], list[str]]

FULL = """\
title = "An EHR"
fhir_base = "https://ehr.example/r4/"
environment = "production"
data = "synthetic"
permit = ["write"]
patients = ["a.b-1"]
[versions]
us_core = "7.0.0"
[auth]
kind = "smart"
extra_origins = ["https://login.example"]
[headers]
X-Client = "plain"
X-Api-Key = "env:API_KEY"
[[clients]]
name = "asymmetric"
id = "env:CLIENT_ID"
auth = "private_key_jwt"
key = "file:key.json"
alg = "ES384"
redirect_uri = "com.example.app:/callback"
[[clients]]
name = "backend"
id = "b"
auth = "client_secret_post"
secret = "keyring:ehr/secret"
grants = ["client_credentials"]
scopes = ["system/Patient.rs", "system/Observation.rs"]
[[logins]]
name = "patient"
username = "p"
password = "env:PASSWORD"
fields = { username = "login" }
[[launches]]
name = "ehr"
kind = "ehr"
client = "asymmetric"
login = "patient"
scopes = "launch openid"
source = "url"
launch_url = "https://ehr.example/start?app=1"
[other]
client = "asymmetric"
login = "patient"
scopes = ["launch/patient"]
patient = "p2"
[limits]
requests_per_second = 4
[tls]
ca_file = "ca.pem"
[sync]
strategy = "date_window"
[[deviations]]
check = "smart/test_x.py::test_y"
reason = "known"
since = 2026-01-31
[[facts]]
path = "auth.kind"
source = "seen"
on = 2026-02-01
"""


def test_every_part_of_a_file_becomes_its_frozen_value(load: Load, tmp_path: Path) -> None:
    ehr = load(FULL)
    assert ehr.name == "x"
    assert ehr.fhir_base == "https://ehr.example/r4"
    assert ehr.environment is Environment.PRODUCTION
    assert ehr.data is DataKind.SYNTHETIC
    assert ehr.headers == {"X-Client": "plain", "X-Api-Key": SecretRef("env", "API_KEY")}
    asymmetric, backend = ehr.clients
    assert asymmetric.id == SecretRef("env", "CLIENT_ID")
    assert asymmetric.auth is ClientAuth.PRIVATE_KEY_JWT
    assert asymmetric.key == SecretRef("file", str(tmp_path / "key.json"))
    assert asymmetric.grants == (Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN)
    assert backend.secret == SecretRef("keyring", "ehr/secret")
    assert backend.scopes == ("system/Patient.rs", "system/Observation.rs")
    assert ehr.logins[0].username == "p"
    assert ehr.logins[0].fields == {"username": "login"}
    assert ehr.launches[0].kind is LaunchKind.EHR
    assert ehr.launches[0].source is LaunchSource.URL
    assert ehr.launches[0].scopes == ("launch", "openid")
    assert ehr.other is not None
    assert ehr.other.kind is LaunchKind.STANDALONE
    assert ehr.other_patient == "p2"
    assert ehr.limits.requests_per_second == 4.0
    assert ehr.tls.ca_file == tmp_path / "ca.pem"
    assert ehr.sync.strategy is Strategy.DATE_WINDOW
    assert ehr.deviations[0].since == date(2026, 1, 31)
    assert ehr.facts[0].on == date(2026, 2, 1)
    assert ehr.versions.us_core == "7.0.0"


def test_every_secret_reference_is_listed_with_its_key_path(load: Load) -> None:
    assert [path for path, _ in load(FULL).references()] == [
        "headers.X-Api-Key",
        "clients[0].id",
        "clients[0].key",
        "clients[1].secret",
        "logins[0].password",
    ]


def test_nothing_is_permitted_in_production(load: Load) -> None:
    assert not load(FULL).permits(Permit.WRITE)
    assert load(FULL.replace('"production"', '"sandbox"')).permits(Permit.WRITE)


def test_what_is_left_out_is_unknown_or_careful(load: Load) -> None:
    ehr = load(SMALL)
    assert ehr.data is DataKind.REAL
    assert ehr.permit == frozenset()
    assert ehr.limits.requests_per_second is None
    assert ehr.limits.page_size is None
    assert (ehr.versions.us_core, ehr.versions.smart, ehr.versions.bulk) == (None, None, None)
    assert ehr.auth.issuer is None
    assert ehr.other is None


def test_where_notifications_arrive_is_loopback_unless_said(load: Load) -> None:
    push = load(SMALL).push
    assert (push.listen, push.url, push.wait_seconds) == ("127.0.0.1:0", None, 10)
    listen, url = "[::1]:8443", "https://tunnel.example/run"
    push = load(f'{SMALL}[push]\nlisten = "{listen}"\nurl = "{url}"\nwait_seconds = 2.5\n').push
    assert (push.listen, push.url, push.wait_seconds) == (listen, url, 2.5)


@pytest.mark.parametrize(
    "line",
    ['listen = "8443"', 'listen = "a:b"', 'url = "http://tunnel.example"', "wait_seconds = 0"],
)
def test_where_notifications_arrive_is_checked(refusal: Refusal, line: str) -> None:
    assert f"push.{line.split(maxsplit=1)[0]}" in refusal(f"{SMALL}[push]\n{line}\n")[0]


def test_an_unknown_key_is_named_with_the_nearest(refusal: Refusal) -> None:
    text = SMALL + '[[clients]]\nname = "a"\nid = "a"\nauht = "none"\n'
    assert refusal(text) == ["clients[0].auht: unknown key; did you mean 'auth'?"]


def test_all_faults_are_told_at_once_the_worst_first(refusal: Refusal) -> None:
    lines = refusal(
        'title = 3\nfhir_base = "https://a.example"\npermit = ["wirte"]\n[atuh]\nkind = "none"\n'
    )
    assert [line.split(":")[0] for line in lines] == ["atuh", "auth", "title", "permit[0]"]
    assert lines[2] == "title: expected a string, got a whole number"
    assert lines[3] == (
        "permit[0]: expected one of write, negative_auth, revoke, load, wait; got 'wirte'; "
        "did you mean 'write'?"
    )


def test_at_most_ten_lines_are_told(refusal: Refusal) -> None:
    lines = refusal(SMALL + "".join(f"unknown{number} = 1\n" for number in range(30)))
    assert len(lines) == 10
    assert lines[-1] == "and 21 more"


def test_a_toml_error_names_its_line(refusal: Refusal) -> None:
    assert "line 2" in refusal('title = "x"\nfhir_base = \n')[0]


@pytest.mark.parametrize("key", ["secret", "key"])
def test_a_literal_secret_is_refused_and_not_shown(refusal: Refusal, key: str) -> None:
    text = f'{SMALL}[[clients]]\nname = "a"\nid = "a"\n{key} = "hunter2"\n'
    (line,) = refusal(text)
    assert line.startswith(f"clients[0].{key}: expected a reference to a secret: env:NAME")
    assert "hunter2" not in line


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Cookie", "X-Auth-Token"])
def test_a_literal_credential_in_a_header_is_refused_and_not_shown(
    refusal: Refusal, name: str
) -> None:
    (line,) = refusal(f'{SMALL}[headers]\n{name} = "hunter2"\n')
    assert line.startswith(f"headers.{name}: expected a reference")
    assert "hunter2" not in line


def test_credentials_in_a_url_are_refused_and_not_shown(refusal: Refusal) -> None:
    (line,) = refusal(SMALL.replace("https://", "https://user:hunter2@"))
    assert line.startswith("fhir_base: expected an absolute http or https URL without user name")
    assert "hunter2" not in line


SMART = SMALL + '[[clients]]\nname = "app"\nid = "a"\nredirect_uri = "https://a.example/cb"\n'
LOGIN = '[[logins]]\nname = "patient"\n'
LAUNCH = '[[launches]]\nname = "l"\nkind = "standalone"\nscopes = "openid"\n'
BASIC = SMALL.replace('"smart"', '"basic"')

MEANINGS = [
    (
        SMART + LOGIN + LAUNCH + 'client = "ap"\nlogin = "patient"\n',
        "launches[0].client: no client 'ap'; did you mean 'app'?",
    ),
    (
        SMART.replace('kind = "smart"', 'kind = "smart"\nintrospects = "ap"'),
        "auth.introspects: no client 'ap'; did you mean 'app'?",
    ),
    (
        SMART.replace('kind = "smart"', 'kind = "smart"\nintrospects = "app"'),
        "auth.introspects: expected a client with a secret or a key",
    ),
    (
        SMART + LOGIN + LAUNCH + 'client = "app"\nlogin = "zz"\n',
        "launches[0].login: no login 'zz'; logins: patient",
    ),
    (
        SMART + 'auth = "private_key_jwt"\n',
        "clients[0].key: missing; auth private_key_jwt needs one",
    ),
    (
        SMART + 'auth = "client_secret_post"\n',
        "clients[0].secret: missing; auth client_secret_post needs one",
    ),
    (
        SMART + 'secret = "env:X"\n',
        (
            "clients[0].secret: auth none uses none; did you mean auth = "
            "client_secret_basic or client_secret_post?"
        ),
    ),
    (
        SMALL + '[[clients]]\nname = "app"\nid = "a"\n',
        "clients[0].redirect_uri: missing; grant authorization_code needs one",
    ),
    (
        SMALL + '[[clients]]\nname = "b"\nid = "b"\ngrants = ["client_credentials"]\n'
        'scopes = "system/*.rs"\n',
        "clients[0].auth: grant client_credentials needs a secret or a key",
    ),
    (
        SMALL.replace("https:", "http:"),
        "fhir_base: expected https, got 'http://ehr.example/r4'; http is for loopback only",
    ),
    (
        SMALL + 'token_endpoint = "http://ehr.example/token"\n',
        (
            "auth.token_endpoint: expected https, got 'http://ehr.example/token'; "
            "http is for loopback only"
        ),
    ),
    (
        SMALL.replace("/r4", "/STU3"),
        "fhir_base: expected a FHIR R4 base, got one of STU3; only R4 is judged",
    ),
    (BASIC + 'username = "u"\n', "auth.password: missing; kind basic needs username and password"),
    (
        SMALL + 'username = "u"\n',
        "auth.username: only kind basic takes it; people sign in by [[logins]]",
    ),
    (SMALL + LOGIN + LOGIN, "logins: the name 'patient' is given 2 times"),
    (
        SMALL + '[[logins]]\nname = "a"\npassword = "env:X"\n',
        "logins[0].username: missing; a password is given",
    ),
    (
        SMALL + '[[facts]]\npath = "nowhere.at"\nsource = "s"\non = 2026-01-01\n',
        "facts[0].path: expected the path of a key of this file, got 'nowhere.at'",
    ),
    (
        SMART + LOGIN + LAUNCH.replace("standalone", "ehr") + 'client = "app"\nlogin = "patient"\n',
        "launches[0].source: missing; a launch of kind ehr needs one of url, form, browser, manual",
    ),
    (
        SMART
        + LOGIN
        + LAUNCH
        + 'client = "app"\nlogin = "patient"\nlaunch_url = "https://a.example"\n',
        "launches[0].launch_url: only a launch of kind ehr takes it",
    ),
    (
        SMART + LOGIN + LAUNCH + 'client = "app"\nlogin = "patient"\n'
        '[[clients]]\nname = "b"\nid = "b"\nauth = "client_secret_post"\nsecret = "env:S"\n'
        'grants = ["client_credentials"]\n',
        "clients[1].scopes: missing; grant client_credentials needs them",
    ),
    (
        SMART + 'auth = "private_key_jwt"\nkey = "env:K"\nsecret = "env:S"\n',
        (
            "clients[0].secret: auth private_key_jwt uses none; "
            "did you mean auth = client_secret_basic or client_secret_post?"
        ),
    ),
    (
        SMART + 'key = "env:K"\n',
        "clients[0].key: auth none uses none; did you mean auth = private_key_jwt?",
    ),
    (
        SMART.replace("redirect_uri", 'grants = ["refresh_token"]\nredirect_uri')
        + LOGIN
        + LAUNCH
        + 'client = "app"\nlogin = "patient"\n',
        "launches[0].client: 'app' needs the grant authorization_code to launch",
    ),
    (
        SMART
        + LOGIN
        + LAUNCH.replace("standalone", "ehr")
        + 'client = "app"\nlogin = "patient"\nsource = "form"\n',
        "launches[0].launch_url: missing; source form needs it",
    ),
    (
        SMART + LOGIN + '[other]\nclient = "ap"\nlogin = "patient"\nscopes = "openid"\n',
        "other.client: no client 'ap'; did you mean 'app'?",
    ),
    (
        SMALL.replace('"smart"', '"none"') + LAUNCH + 'client = "app"\nlogin = "patient"\n'
        '[[clients]]\nname = "app"\nid = "a"\nredirect_uri = "a:/b"\n' + LOGIN,
        "launches: expected none with auth kind none",
    ),
    (SMALL + '[tls]\nclient_key = "k.pem"\n', "tls.client_cert: missing; client_key is given"),
    (
        SMALL + '[headers]\nX-Name = "Zo\u00eb"\n',
        "headers.X-Name: expected ASCII text (RFC 9110 section 5.5)",
    ),
    (
        SMALL + '[[deviations]]\ncheck = "a"\nreason = "r"\n' * 2,
        "deviations: the check 'a' is given 2 times",
    ),
    (
        SMALL.replace("ehr.example", "[::1"),
        "fhir_base: expected an absolute URL, got 'https://[::1/r4'",
    ),
    (
        SMALL + 'extra_origins = ["http://192.168.0.1"]\n',
        (
            "auth.extra_origins[0]: expected https, got 'http://192.168.0.1'; "
            "http is for loopback only"
        ),
    ),
    (SMALL + "[limits]\nrequests_per_second = nan\n", None),
    (SMALL.replace("An EHR", "An\\u0007EHR"), "title: expected a string of one line"),
]


@pytest.mark.parametrize(("text", "line"), MEANINGS)
def test_what_no_schema_can_say_is_checked_as_well(
    refusal: Refusal, text: str, line: str | None
) -> None:
    expected = line or "limits.requests_per_second: expected a finite number, got nan"
    assert refusal(text) == [expected]


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:80", "ehr.localhost"])
def test_http_is_fine_on_loopback(load: Load, host: str) -> None:
    assert load(SMALL.replace("https://ehr.example", f"http://{host}")).fhir_base.endswith("/r4")


def test_another_base_is_put_in_place_of_the_files_own(load: Load) -> None:
    assert with_base(load(SMALL), "https://b.example/fhir/").fhir_base == "https://b.example/fhir"


@pytest.mark.parametrize("url", ["ftp://a", "http://a.example/r4", "https://a.example/DSTU2", ""])
def test_another_base_has_to_be_a_safe_r4_base_too(load: Load, url: str) -> None:
    with pytest.raises(ConfigError):
        with_base(load(SMALL), url)


def test_an_endpoint_without_a_file_is_named_after_its_host() -> None:
    ehr = ehr_at("https://fhir.Example.com:8443/r4/")
    assert (ehr.name, ehr.fhir_base) == ("fhir-example-com", "https://fhir.Example.com:8443/r4")
    assert ehr.permit == frozenset()


def test_a_configuration_error_is_a_usage_error() -> None:
    assert ConfigError("x").status == ExitStatus.USAGE
