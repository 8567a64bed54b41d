import base64
import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.encodings import jwt_part
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.redaction import LABEL, Redactor, signature_verdict

NOW = datetime(2026, 5, 1, tzinfo=UTC)
TOKEN_URL = "https://ehr.example/token"


def exchange(request: Request, response: Response) -> Exchange:
    return Exchange(1, "act", request, response, NOW, 0.1)


def form(**fields: str) -> Request:
    headers = Headers((("Content-Type", "application/x-www-form-urlencoded"),))
    return Request("POST", TOKEN_URL, headers, urlencode(fields).encode())


def json_response(value: Any, *headers: tuple[str, str]) -> Response:
    fields = Headers((("Content-Type", "application/json"), *headers))
    return Response(200, fields, json.dumps(value).encode())


def everything(clean: Exchange) -> str:
    fields = [*clean.request.headers, *clean.headers]
    bodies = clean.request.body + clean.body
    return "\n".join([clean.request.url, *(f"{n}: {v}" for n, v in fields), bodies.decode()])


def jwt(**claims: str) -> str:
    parts = [json.dumps({"alg": "RS384"}), json.dumps(claims), secrets.token_hex(16)]
    encoded = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts]
    return ".".join(encoded)


def test_a_token_conversation_keeps_no_secret() -> None:
    made = {
        name: secrets.token_urlsafe(24)
        for name in ("code", "code_verifier", "client_secret", "refresh_token", "access_token")
    }
    basic = base64.b64encode(f"app:{made['client_secret']}".encode()).decode()
    asked = form(
        grant_type="authorization_code", code=made["code"], code_verifier=made["code_verifier"]
    )
    asked = replace(asked, headers=asked.headers.with_("Authorization", f"Basic {basic}"))
    answer = {"access_token": made["access_token"], "refresh_token": made["refresh_token"]}
    redactor = Redactor()
    clean = redactor.exchange(exchange(asked, json_response({**answer, "patient": "85"})))
    shown = everything(clean)
    for secret in (*made.values(), basic):
        assert secret not in shown
    assert clean.json()["patient"] == "85"
    assert clean.json()["access_token"] == "access_token-1-redacted"
    used = Request("GET", "https://ehr.example/r4/Patient/85")
    used = replace(used, headers=Headers((("Authorization", f"Bearer {made['access_token']}"),)))
    again = redactor.exchange(exchange(used, json_response({})))
    assert again.request.headers.get("Authorization") == "Bearer access_token-1-redacted"


def test_a_redirect_hides_code_and_state_and_a_search_keeps_its_code() -> None:
    code, state = secrets.token_urlsafe(20), secrets.token_urlsafe(32)
    location = f"https://app.example/cb?code={code}&state={state}"
    redirect = Response(302, Headers((("Location", location),)))
    clean = Redactor().exchange(exchange(Request("GET", "https://ehr.example/authorize"), redirect))
    assert code not in everything(clean)
    assert state not in everything(clean)
    search = Request("GET", "https://ehr.example/r4/Observation?code=http://loinc.org|85354-9")
    coded = json_response({"resourceType": "Observation", "code": "http-loinc-org-85354-9"})
    assert Redactor().exchange(exchange(search, coded)) == exchange(search, coded)


def test_a_cookie_that_is_a_plain_word_is_hidden_at_its_place_only() -> None:
    headers = Headers((("Set-Cookie", "back=/r4/Patient/1234567; Path=/"),))
    asked = Request("GET", "https://ehr.example/r4/Patient/1234567")
    clean = Redactor().exchange(exchange(asked, Response(200, headers, b"/r4/Patient/1234567")))
    assert clean.headers.get("Set-Cookie") == "back=cookie-1-redacted; Path=/"
    assert clean.request == asked
    assert clean.body == b"/r4/Patient/1234567"


def test_a_code_that_comes_as_json_is_hidden_too() -> None:
    code = secrets.token_urlsafe(20)
    asked = Request("POST", "https://ehr.example/auth/login")
    clean = Redactor().exchange(exchange(asked, json_response({"login": "1", "code": code})))
    assert code not in everything(clean)
    odd = Response(200, Headers(), b'{"code": [' * 3)
    assert Redactor().exchange(exchange(asked, odd)).body == odd.body


def test_what_a_client_assertion_draws_by_chance_is_hidden_in_its_claims() -> None:
    jti = secrets.token_urlsafe(32)
    assertion = jwt(iss="app", jti=jti)
    clean = Redactor().exchange(
        exchange(form(client_assertion=assertion, grant_type="client_credentials"), Response(200))
    )
    shown = clean.request.body.decode().partition("client_assertion=")[2].partition("&")[0]
    claims = jwt_part(shown.split(".")[1])
    assert claims["iss"] == "app"
    assert claims["jti"].startswith("jti-1-redacted")
    assert signature_verdict(shown) == "redacted"


def test_credentials_that_do_not_decode_are_hidden_as_they_are() -> None:
    redactor = Redactor()
    for scheme, value in (("Basic", "%%%"), ("Basic", "/+8="), ("DPoP", "x")):
        headers = Headers((("Authorization", f"{scheme} {value}"),))
        asked = exchange(Request("GET", TOKEN_URL, headers), Response(200))
        assert value not in (redactor.exchange(asked).request.headers.get("Authorization") or "")


def test_state_keeps_its_length_and_stays_canonical_base64url() -> None:
    state = secrets.token_urlsafe(32)
    label = Redactor().learn(state, "state")
    assert len(label) == len(state) == 43
    raw = base64.urlsafe_b64decode(label + "=")
    assert base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == label


def test_cookies_and_hidden_fields_are_hidden() -> None:
    session, csrf = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    headers = Headers(
        (("Set-Cookie", f"sid={session}; Path=/; HttpOnly"), ("Content-Type", "text/html"))
    )
    page = f'<html><INPUT value="{csrf}" name=_csrf type=\'hidden\'><input name="user"></html>'
    asked = Request("GET", "https://ehr.example/login", Headers((("Cookie", "a=1; b=22"),)))
    clean = Redactor().exchange(exchange(asked, Response(200, headers, page.encode())))
    assert session not in everything(clean)
    assert csrf not in everything(clean)
    assert "Path=/; HttpOnly" in (clean.headers.get("Set-Cookie") or "")
    assert "a=1" not in (clean.request.headers.get("Cookie") or "")


def test_a_cookie_that_is_repeated_in_its_path_is_hidden_there_too() -> None:
    login = secrets.token_urlsafe(32)
    headers = Headers((("Set-Cookie", f"_login={login}; path=/login/{login}; HttpOnly"),))
    asked = Request("GET", "https://ehr.example/authorize")
    clean = Redactor().exchange(exchange(asked, Response(303, headers)))
    label = "cookie-1-redacted"
    assert clean.headers.get("Set-Cookie") == f"_login={label}; path=/login/{label}; HttpOnly"


def test_an_id_token_keeps_header_and_claims_and_loses_its_signature() -> None:
    nonce = secrets.token_urlsafe(32)
    token = jwt(nonce=nonce, sub="smart-user", iss="https://ehr.example")
    redactor = Redactor()
    sent = redactor.learn(nonce, "nonce")
    clean = redactor.exchange(exchange(form(grant_type="x"), json_response({"id_token": token})))
    header, claims, signature = clean.json()["id_token"].split(".")
    assert jwt_part(header) == {"alg": "RS384"}
    assert jwt_part(claims) == {"nonce": sent, "sub": "smart-user", "iss": "https://ehr.example"}
    assert token.split(".")[2] not in everything(clean)
    assert signature_verdict(clean.json()["id_token"]) == "redacted"
    redactor.judge(token, valid=True)
    assert signature_verdict(redactor.text(token)) == "valid"
    assert signature == "signature-1-redacted"
    recorded = redactor.text(token)
    assert Redactor(replaying=True).verdict(recorded) is True
    assert Redactor().verdict(recorded) is None
    assert Redactor(replaying=True).verdict(token) is None
    assert signature_verdict(token) is None


def test_parts_of_an_access_token_that_is_a_jwt_are_hidden_too() -> None:
    token = jwt(patient="85", scope="patient/*.rs")
    redactor = Redactor()
    redactor.learn(token, "access_token")
    _, claims, signature = token.split(".")
    assert redactor.text(f"x {token} y") == "x access_token-1-redacted y"
    assert claims not in redactor.text(f"claims={claims}")
    assert signature not in redactor.text(f"signature {signature}")


def test_short_secrets_are_hidden_where_they_stand_and_do_not_shred_text() -> None:
    redactor = Redactor()
    asked = form(username="a", password="a")
    clean = redactor.exchange(exchange(asked, Response(200, Headers(), b"a banana")))
    assert clean.request.body == b"username=a&password=password-1-redacted"
    assert clean.body == b"a banana"


def test_telling_names_are_enough_in_any_text() -> None:
    redactor = Redactor()
    line = 'POST /token {"refresh_token": "r\\u0031"} client_secret=s3cret Bearer ' + "x" * 20
    shown = redactor.text(line)
    for secret in ("r\\u0031", "s3cret", "x" * 20):
        assert secret not in shown
    challenge = 'Bearer realm="https://ehr.example/a/long/realm", error="invalid_token"'
    assert redactor.text(challenge) == challenge


awkward = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cs"]),
    min_size=12,
    max_size=40,
).filter(lambda value: not LABEL.search(value))


@given(secret=awkward, before=st.binary(max_size=5), text=st.text(max_size=30))
def test_no_encoding_of_a_secret_survives(secret: str, before: bytes, text: str) -> None:
    redactor = Redactor()
    redactor.learn(secret, "password")
    raw = secret.encode()
    in_base64 = base64.b64encode(before + raw).decode()
    for shown in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], in_base64):
        redacted = redactor.text(f"{text} {shown} {text}")
        assert secret not in redacted
        assert "password-1-redacted" in redacted or shown in text
        assert shown not in redacted or shown in text


@given(st.text(max_size=200))
def test_redaction_is_idempotent(text: str) -> None:
    redactor = Redactor()
    redactor.learn("correct horse battery", "password")
    once = redactor.text(f"{text} password={text} correct horse battery state=abc")
    assert redactor.text(once) == once


def test_bytes_that_are_no_text_pass_unchanged() -> None:
    redactor = Redactor()
    secret = secrets.token_urlsafe(16)
    redactor.learn(secret, "cookie")
    data = b"\xff\x00\xfe" + secret.encode() + b"\x80"
    assert redactor.data(data) == b"\xff\x00\xfecookie-1-redacted\x80"


def test_hundreds_of_secrets_do_not_make_it_slow() -> None:
    redactor = Redactor()
    known = [secrets.token_urlsafe(32) for _ in range(500)]
    for each in known:
        redactor.learn(each, "access_token")
    text = json.dumps([{"resourceType": "Observation", "id": str(n)} for n in range(2000)])
    assert redactor.text(text + known[7]) == text + "access_token-8-redacted"


@pytest.mark.parametrize(
    "unit", ["a", "a-1-", '"', "Bearer ", "<input ", "?", "A/", "state=", "\\\\"]
)
def test_no_text_makes_it_hang(unit: str) -> None:
    redactor = Redactor(real=True)
    redactor.learn(secrets.token_urlsafe(16), "cookie")
    text = unit * (200_000 // len(unit))
    assert redactor.text(text)
    headers = Headers((("Location", text[:60_000]), ("Set-Cookie", text[:60_000])))
    page = Response(200, headers, b"<" + text.encode())
    assert redactor.exchange(exchange(form(state="x"), page)).body == b""


def test_a_secret_is_not_replaced_inside_a_label() -> None:
    redactor = Redactor()
    redactor.learn("password", "password")
    assert redactor.text("password=password password") == (
        "password-1-redacted=password-1-redacted password-1-redacted"
    )


def test_real_data_leaves_no_body_and_no_identity() -> None:
    redactor = Redactor(real=True)
    url = "https://ehr.example/r4/Observation?patient=Patient/85&category=vital-signs&_count=5"
    asked = exchange(Request("GET", url), json_response({"resourceType": "Bundle"}))
    read = exchange(Request("GET", "https://ehr.example/r4/Patient/85"), json_response({}))
    searched, one = redactor.exchange(asked), redactor.exchange(read)
    assert searched.body == b""
    pseudonym = one.request.url.rpartition("/")[2]
    assert pseudonym.startswith("pseudonym-")
    assert f"patient=Patient/{pseudonym}&category=vital-signs&_count=5" in searched.request.url
    assert redactor.text("GET /r4/Patient/85: And/or") == f"GET /r4/Patient/{pseudonym}: And/or"
    assert redactor.text(redactor.text("Patient/85")) == f"Patient/{pseudonym}"
    other = Redactor(real=True).exchange(read)
    assert other.request.url != one.request.url


@pytest.mark.parametrize(
    "path",
    [
        "/r4/metadata",
        "/r4/Patient/$match",
        "/r4/Observation/_search",
        "/.well-known/smart-configuration",
    ],
)
def test_paths_without_an_identity_stay(path: str) -> None:
    asked = exchange(Request("GET", f"https://ehr.example{path}"), Response(200))
    assert Redactor(real=True).exchange(asked).request.url == f"https://ehr.example{path}"
