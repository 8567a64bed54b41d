"""Where a walk through pages ends: at a URI of the application, which is never asked itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse, same_place
from harness.smart.text import plain

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Caught:
    """What a browser would have sent to the application.

    Attributes:
        url: where to, with its query and fragment.
        fields: of a form that was to be posted there; None for GET.
    """

    url: str = field(repr=False)
    fields: Pairs | None = field(repr=False, default=None)

    @property
    def parameters(self) -> Pairs:
        """Those of the query, and of the form."""
        query = parse_qsl(urlsplit(self.url).query, keep_blank_values=True)
        return (*query, *(self.fields or ()))


class Target(Protocol):
    """A URI of the application, and what a page has to send there for the walk to be over."""

    def answered_by(self, url: str) -> bool:
        """Whether `url` is that URI, whatever its query and fragment."""

    def takes(self, parameters: Mapping[str, str], *, alone: bool) -> bool:
        """Whether a link or a form of a page with these parameters ends the walk.

        Args:
            parameters: of the link's query, or the form's hidden fields.
            alone: the page offers nothing else to do.
        """

    def strayed(self, url: str) -> str | None:
        """Why `url` looks like an answer that goes elsewhere; None where it does not."""


@dataclass(frozen=True, slots=True)
class RedirectTarget:
    """The redirect URI of an authorization request; `deny` says that a refusal is wanted."""

    request: AuthorizationRequest
    deny: bool = False

    def answered_by(self, url: str) -> bool:
        """As `AuthorizationRequest.answered_by`."""
        return self.request.answered_by(url)

    def takes(self, parameters: Mapping[str, str], *, alone: bool) -> bool:
        """A cancel link on a login page carries an error too, and is no answer yet."""
        return "code" in parameters or ("error" in parameters and (self.deny or alone))

    def strayed(self, url: str) -> str | None:
        """Never: a login may pass through the `code` and `state` of other servers."""
        del url
        return None

    def read(self, caught: Caught) -> AuthorizationResponse:
        """The authorization response that was caught."""
        if caught.fields is not None:
            return AuthorizationResponse.from_form(caught.fields, self.request)
        return AuthorizationResponse.parse(caught.url, self.request)


@dataclass(frozen=True, slots=True)
class LaunchTarget:
    """The launch URI of an application."""

    launch_uri: str

    def answered_by(self, url: str) -> bool:
        """Whether `url` is the launch URI."""
        return same_place(self.launch_uri, url)

    def takes(self, parameters: Mapping[str, str], *, alone: bool) -> bool:
        """A bare link to the application, without `launch`, is a bookmark and no launch."""
        return "launch" in parameters or (alone and "iss" in parameters)

    def strayed(self, url: str) -> str | None:
        """A launch at another URI: of another application, or of this one as registered."""
        names = {name for name, _ in Caught(url).parameters}
        if not {"iss", "launch"} <= names or self.answered_by(url):
            return None
        place = plain(url.split("?", 1)[0])
        return f"the EHR starts an application at {place}, and not at {self.launch_uri}"
