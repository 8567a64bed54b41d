"""A request as a curl command line: redacted, shell-quoted, with `$TOKEN` for the token."""

from __future__ import annotations

import shlex

from harness.http.exchange import Request

_OWN = frozenset({"host", "content-length", "accept-encoding", "connection", "user-agent"})
_LONGEST = 4000


def curl(request: Request) -> str:
    """The command that sends `request` again, once `$TOKEN` is set.

    Args:
        request: redacted already.
    """
    words = ["curl", "-i"]
    if request.method != "GET":
        words += ["-X", shlex.quote(request.method)]
    if request.old_tls:
        words += ["--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0"]
    for name, value in request.headers:
        if name.lower() in _OWN:
            continue
        if name.lower() == "authorization":
            scheme = value.partition(" ")[0]
            words += ["-H", f'"Authorization: {_bare(scheme)} $TOKEN"']
        else:
            words += ["-H", shlex.quote(f"{name}: {value}")]
    if request.body:
        words += ["--data-binary", _body(request.body)]
    words.append(shlex.quote(request.url))
    return " ".join(words)


def _bare(scheme: str) -> str:
    return "".join(each for each in scheme if each.isalnum())


def _body(body: bytes) -> str:
    if len(body) > _LONGEST:
        return "@body.json"
    return shlex.quote(body.decode("utf-8", "replace"))
