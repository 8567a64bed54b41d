"""Whatever leaves memory is pseudonymised here: equal secrets, equal labels, for one run.

A label such as `access_token-1-redacted` survives URLs, JSON and base64url unchanged, so a redacted
recording can be replayed. Nothing leads back from a label to its secret once the run has ended.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections import Counter
from dataclasses import replace
from threading import RLock

from harness.http.encodings import SHORTEST, disguises, is_jwt, jwt_part, to_jwt_part
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.findings import (
    CREDENTIALS,
    FORM_FIELD,
    JSON_MEMBER,
    Finding,
    cookies_hidden,
    credentials_kind,
    find,
    is_opaque,
)
from harness.http.needles import Needles
from harness.http.pseudonyms import text_pseudonymised, url_pseudonymised

LABEL = re.compile(
    r"[a-z_]{1,40}-\d{1,9}-(?:redacted-{0,200}A?|valid|invalid)|pseudonym-[0-9a-f]{12}"
)
"""What stands in the place of a secret."""

_SIGNATURE = re.compile(r"signature-\d+-([a-z]+)")
_READABLE = frozenset({"id_token", "client_assertion"})
_CLIENT_MADE = frozenset({"state", "nonce", "code_verifier", "jti", "drawn"})


def signature_verdict(jwt: str) -> str | None:
    """What a redacted JWT says of its signature: `valid`, `invalid`, `redacted`; else None."""
    found = _SIGNATURE.fullmatch(jwt.rpartition(".")[2])
    return found.group(1) if found else None


class Redactor:
    """Learns secrets and replaces them, in every encoding; may be used from any thread.

    Args:
        key: keys the pseudonyms of real data; random by default, and never written.
        real: with real data bodies are dropped, and ids and search values pseudonymised.
        replaying: a recording is judged again, so that verdicts in place of signatures count; a
            live server that sends one is not believed.
    """

    def __init__(
        self, key: bytes | None = None, *, real: bool = False, replaying: bool = False
    ) -> None:
        self._key = key or secrets.token_bytes(32)
        self._real = real
        self._replaying = replaying
        self._lock = RLock()
        self._labels: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._verdicts: dict[str, str] = {}
        self._sought: set[str] = set()
        self._needles = Needles()
        self._meanings: dict[str, str] = {}

    def learn(self, value: str, kind: str, *, anywhere: bool = True) -> str:
        """Know `value` as a secret from now on.

        Args:
            value: the secret as it is, not encoded.
            kind: names it in the label: `access_token`, `password`, `cookie`.
            anywhere: False for what is secret at its place only, such as a cookie `lang=en-US`.

        Returns:
            Its label; the one of the first time if it is known. A label is returned as it is.
        """
        with self._lock:
            if not value or LABEL.fullmatch(value) or signature_verdict(value):
                return value
            if value not in self._labels:
                self._labels[value] = self._new_label(value, kind)
            if anywhere and value not in self._sought:
                self._sought.add(value)
                self._enter(value, kind)
            return self._labels[value]

    def judge(self, jwt: str, *, valid: bool) -> None:
        """Let the signature of `jwt` be replaced by its verdict, so that a replay can judge it."""
        with self._lock:
            self._verdicts[jwt.rpartition(".")[2]] = "valid" if valid else "invalid"

    def verdict(self, jwt: str) -> bool | None:
        """In a replay, whether the signature of `jwt` was valid when it was recorded.

        Returns:
            None when nobody judged it, and always outside a replay.
        """
        said = signature_verdict(jwt) if self._replaying else None
        return {"valid": True, "invalid": False}.get(said or "")

    def learn_from(self, exchange: Exchange) -> None:
        """Learn every secret that request and response carry at the usual places."""
        for finding in find(exchange):
            self.learn(finding.value, finding.kind)

    def text(self, text: str) -> str:
        """`text` with secrets replaced: those known, and those that stand behind a telling name."""
        text, known = self.known(text), len(self._labels)
        for pattern in (JSON_MEMBER, FORM_FIELD, CREDENTIALS):
            text = pattern.sub(self._field, text)
        if len(self._labels) > known:
            # What stands behind a telling name here may stand without one elsewhere in the text.
            text = self.known(text)
        return text_pseudonymised(text, self._pseudonym) if self._real else text

    def data(self, data: bytes) -> bytes:
        """The same for bytes; what is not UTF-8 passes unchanged."""
        text = self.text(data.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape")

    def exchange(self, exchange: Exchange) -> Exchange:
        """A copy that may leave memory."""
        self.learn_from(exchange)
        return replace(
            exchange,
            request=self.request(exchange.request),
            response=self._response(exchange.response),
        )

    def request(self, request: Request) -> Request:
        """A copy of a request that may leave memory."""
        body = b"" if self._real else self.data(request.body)
        return replace(
            request, url=self._url(request.url), headers=self._headers(request.headers), body=body
        )

    def _response(self, response: Response) -> Response:
        body = b"" if self._real else self.data(response.body)
        return replace(response, headers=self._headers(response.headers), body=body)

    def _headers(self, headers: Headers) -> Headers:
        return Headers(tuple((name, self._header(name, value)) for name, value in headers))

    def _header(self, name: str, value: str) -> str:
        match name.lower():
            case "authorization" | "proxy-authorization":
                scheme, _, credentials = value.partition(" ")
                return f"{scheme} {self.learn(credentials.strip(), credentials_kind(scheme))}"
            case "cookie" | "set-cookie":
                # A server may repeat a cookie's value, a login's id for one, in the cookie's Path.
                return self.text(cookies_hidden(name, value, self._cookie))
            case "location" | "content-location" | "link" | "referer":
                return self._url(value)
            case _:
                return self.text(value)

    def _cookie(self, value: str) -> str:
        return self.learn(value, "cookie", anywhere=is_opaque(value.strip('"')))

    def _url(self, url: str) -> str:
        url = self.text(url)
        return url_pseudonymised(url, self._pseudonym) if self._real else url

    def _pseudonym(self, value: str) -> str:
        """The same value, the same pseudonym, within this run only."""
        if LABEL.fullmatch(value):
            return value
        digest = hmac.new(self._key, value.encode("utf-8", "replace"), hashlib.sha256)
        return f"pseudonym-{digest.hexdigest()[:12]}"

    def _field(self, match: re.Match[str]) -> str:
        """Replace the value behind a telling name, whatever its length."""
        finding = Finding.of(match)
        with self._lock:
            label = self.learn(finding.value, finding.kind)
            if label == finding.value:
                return match.group()
            shown = self._shown(finding.value)
        whole, offset = match.group(), match.start()
        start, end = match.span("value")
        return whole[: start - offset] + shown + whole[end - offset :]

    def _new_label(self, value: str, kind: str) -> str:
        kind = re.sub(r"[^a-z]+", "_", kind.lower()).strip("_") or "secret"
        label = self._numbered(kind)
        if kind not in _CLIENT_MADE:
            return label
        # What the client drew by chance keeps its length, and stays canonical base64url (the last
        # character carries unused bits), so that a replay can draw the label itself.
        return label.ljust(len(value) - 1, "-") + "A" if len(value) > len(label) else label

    def _numbered(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}-{self._counts[kind]}-redacted"

    def _enter(self, value: str, kind: str) -> None:
        """Look for each disguise of `value` from now on."""
        if len(value) < SHORTEST:
            return
        for each in disguises(value):
            self._seek(each, value)
        if not is_jwt(value):
            return
        _, claims, signature = value.split(".")
        if kind in _READABLE:
            self._labels.setdefault(signature, self._new_label(signature, "signature"))
            parts = [signature]
        else:
            parts = [claims, signature]
            self._labels.update((part, self._labels[value]) for part in parts)
        for part in parts:
            if len(part) >= SHORTEST:
                self._seek(part, part)

    def _seek(self, needle: str, meaning: str) -> None:
        self._needles.add(needle)
        self._meanings[needle] = meaning

    def known(self, text: str) -> str:
        """`text` with those secrets replaced that are known, and no others."""
        with self._lock:
            # A secret such as "password" must not be replaced inside the labels of others.
            open_text = LABEL.sub(lambda match: "\0" * len(match.group()), text)
            done: list[str] = []
            copied = 0
            for start, needle in self._needles.found(open_text):
                if start >= copied:
                    done += (text[copied:start], self._shown(self._meanings[needle]))
                    copied = start + len(needle)
            return "".join(done) + text[copied:]

    def _shown(self, value: str) -> str:
        """What stands in the place of `value`: its label; a readable JWT keeps its claims."""
        label = self._labels[value]
        if label.startswith("signature-"):
            return label.replace("redacted", self._verdicts.get(value, "redacted"))
        kind = label.split("-", 1)[0]
        if kind not in _READABLE or not is_jwt(value):
            return label
        header, claims, signature = value.split(".")
        shown = claims
        if self._real:
            shown = to_jwt_part('{"redacted":true}')
        elif (inner := self._claims(claims)) is not None:
            shown = inner
        return f"{header}.{shown}.{self._shown(signature) if signature else ''}"

    def _claims(self, part: str) -> str | None:
        """Claims with secrets such as the nonce replaced; None when there are none in them."""
        plain = json.dumps(jwt_part(part), separators=(",", ":"))
        redacted = self.known(plain)
        return to_jwt_part(redacted) if redacted != plain else None
