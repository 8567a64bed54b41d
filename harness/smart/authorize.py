"""The authorization request and what comes back by redirect (RFC 6749 section 4.1).

SMART App Launch, "Obtain authorization code":
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urldefrag, urlencode, urlsplit

from harness.errors import OAuthError, ProtocolError
from harness.smart.entropy import Entropy, fresh
from harness.smart.pkce import Pkce, PkceMethod
from harness.smart.text import plain

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """One authorization request, with the secrets that its answer is checked against.

    Attributes:
        endpoint: the authorization endpoint, with the query parameters it already had.
        parameters: what the request adds, in order.
        redirect_uri: where the answer goes.
        state: sent, and expected back unchanged; 256 bits.
        nonce: expected in the id_token; None without `openid`.
        pkce: verifier and challenge; None where the request was built without.
        post: sent as a form (`authorize-post`) rather than as a URL.
    """

    endpoint: str
    parameters: Pairs = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str | None = field(repr=False, default=None)
    pkce: Pkce | None = None
    post: bool = False

    @classmethod
    def build(  # noqa: PLR0913 - one keyword per parameter of the protocol
        cls,
        endpoint: str,
        *,
        client_id: str,
        redirect_uri: str,
        scopes: Iterable[str],
        aud: str,
        entropy: Entropy,
        pkce: PkceMethod | None = PkceMethod.S256,
        launch: str | None = None,
        extra: Mapping[str, str | None] | None = None,
        post: bool = False,
    ) -> AuthorizationRequest:
        """A request with fresh state, PKCE and (with `openid`) nonce.

        Args:
            endpoint: absolute URL; its query parameters are kept.
            client_id: as registered.
            redirect_uri: as registered, of any scheme.
            scopes: in the order to ask for them.
            aud: the FHIR base URL.
            entropy: the source of everything unpredictable.
            pkce: None sends no challenge, which only a negative test wants.
            launch: the opaque handle of an EHR launch.
            extra: further parameters; they win over the usual ones, and None leaves one out.
            post: send as a form.
        """
        wanted = tuple(scopes)
        state = fresh(entropy)
        nonce = fresh(entropy) if "openid" in wanted else None
        proof = Pkce.create(entropy, pkce) if pkce else None
        usual: dict[str, str | None] = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(wanted),
            "state": state,
            "aud": aud,
            "launch": launch,
            "nonce": nonce,
            "code_challenge": proof.challenge if proof else None,
            "code_challenge_method": proof.method.value if proof else None,
        }
        chosen = usual | dict(extra or {})
        parameters = tuple((name, value) for name, value in chosen.items() if value is not None)
        return cls(endpoint, parameters, redirect_uri, state, nonce, proof, post)

    @property
    def url(self) -> str:
        """The request as one URL, for GET."""
        endpoint = urldefrag(self.endpoint).url
        joint = "&" if urlsplit(endpoint).query else "" if endpoint.endswith("?") else "?"
        return endpoint + joint + urlencode(self.parameters, quote_via=quote, safe="")

    def answered_by(self, url: str) -> bool:
        """Whether `url` is the redirect URI of this request, whatever its query and fragment."""
        return same_place(self.redirect_uri, url)


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """What the authorization server sent to the redirect URI; a refusal is a value too.

    Attributes:
        parameters: every parameter as it came, duplicates included.
        code: the authorization code, if one came.
        error: the error code, if one came.
        error_description: the server's own words, without control characters.
        state: as it came.
        state_matches: whether it is the state of the request, exactly once.
        iss: the issuer that the server names (RFC 9207).
        duplicates: names that came more than once, which RFC 6749 section 3.1 forbids.
        in_fragment: the parameters came in the fragment, as for the implicit grant.
    """

    parameters: Pairs = field(repr=False)
    code: str | None = field(repr=False, default=None)
    error: str | None = None
    error_description: str | None = None
    state: str | None = field(repr=False, default=None)
    state_matches: bool = False
    iss: str | None = None
    duplicates: tuple[str, ...] = ()
    in_fragment: bool = False

    @classmethod
    def parse(cls, redirect_url: str, request: AuthorizationRequest) -> AuthorizationResponse:
        """Read the URL that the browser was sent to.

        Raises:
            ProtocolError: the URL is not the redirect URI of the request.
        """
        if not request.answered_by(redirect_url):
            raise ProtocolError(
                f"expected a redirect to {request.redirect_uri}, "
                f"got {plain(redirect_url.split('?', 1)[0].split('#', 1)[0])}",
                hint="redirect_uri in the EHR file has to be the registered one, to the letter",
            )
        parts = urlsplit(redirect_url)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        fragment = tuple(parse_qsl(parts.fragment, keep_blank_values=True))
        registered = parse_qsl(urlsplit(request.redirect_uri).query, keep_blank_values=True)
        query = tuple(pair for pair in query if pair not in registered)
        names = {name for name, _ in query}
        if fragment and not names & {"code", "error"}:
            return cls.from_form(fragment, request, in_fragment=True)
        return cls.from_form(query, request)

    @classmethod
    def from_form(
        cls,
        fields: Iterable[tuple[str, str]],
        request: AuthorizationRequest,
        *,
        in_fragment: bool = False,
    ) -> AuthorizationResponse:
        """Read the fields of a form that a page posts to the redirect URI (`form_post`)."""
        pairs = tuple(fields)
        first = dict(reversed(pairs))
        counts = Counter(name for name, _ in pairs)
        description = first.get("error_description")
        return cls(
            parameters=pairs,
            code=first.get("code") or None,
            error=plain(first["error"]) if first.get("error") else None,
            error_description=plain(description) if description else None,
            state=first.get("state"),
            state_matches=counts["state"] == 1 and first["state"] == request.state,
            iss=first.get("iss"),
            duplicates=tuple(name for name, count in counts.items() if count > 1),
            in_fragment=in_fragment,
        )

    def require_code(self) -> str:
        """The code, for a caller that cannot go on without.

        Raises:
            OAuthError: the server refused.
            ProtocolError: neither code nor error came, or the state is not ours.
        """
        if self.error:
            raise OAuthError(self.error, self.error_description)
        if not self.code:
            raise ProtocolError("the redirect carries neither code nor error")
        if not self.state_matches:
            raise ProtocolError(
                "the state of the redirect is not the one sent; the code is not used",
                hint="start the login again; if it repeats, the server loses the state",
            )
        return self.code


def same_place(registered: str, url: str) -> bool:
    """Whether `url` is a registered URI of the application, whatever its query and fragment.

    Scheme and host compare without case, the path to the letter; query parameters of the
    registered URI have to be there, and may be followed by a second `?`, as careless servers add
    theirs. A URI of any scheme will do (RFC 8252 section 7).
    """
    try:
        mine, theirs = urlsplit(registered), urlsplit(url)
    except ValueError:
        return False
    if (mine.scheme.lower(), mine.netloc.lower()) != (theirs.scheme.lower(), theirs.netloc.lower()):
        return False
    if (mine.path or "/") != (theirs.path or "/"):
        return False
    if theirs.query.startswith(f"{mine.query}?"):
        return True
    came = parse_qsl(theirs.query, keep_blank_values=True)
    return all(pair in came for pair in parse_qsl(mine.query, keep_blank_values=True))
