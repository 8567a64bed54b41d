"""Every exception of the harness.

    HarnessError                    something ended a command; its text is one line for a person
    ├── UsageError                  wrong option, file, variable or name              status 4
    │   └── ConfigError             an EHR or tenant file, or a secret it refers to   status 4
    ├── EhrUnreachable              no answer: DNS, TCP, TLS, time-out                status 6
    ├── PackageUnavailable          no registry could give a package of FHIR definitions  status 6
    ├── HostileInput                an answer beyond its bounds: size, depth, origin, redirects
    ├── ProtocolError               an answer that cannot be used: HTML for JSON, no access_token
    │   ├── OAuthError              an OAuth error response (RFC 6749 section 5.2)
    │   ├── LoginFailed             the login driver could not get past a page
    │   └── GrantLost               a stored refresh token is worth nothing any more
    ├── Throttled                   refused for load, and waiting longer than allowed
    └── SyncIncomplete              a sync ended without all it should have           status 7

    Judgement                       how an act or a check ends early; never an error
    ├── NotConformant               the one verdict about the server (also an AssertionError)
    └── Skip                        not judged, for one of five reasons
        ├── NotApplicable           the requirement does not bind this server
        ├── NotSupported            optional, and the server does not claim it
        ├── NotConfigured           the EHR file does not say how
        ├── NotPermitted            the EHR file does not permit it
        └── PrerequisiteFailed      something it stands on failed, which is reported there

Any other exception that reaches the plugin is a defect of the harness (status 3).
"""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a command answers to the shell; the first that holds in `PRECEDENCE` wins."""

    OK = 0
    NOT_CONFORMANT = 1
    INTERRUPTED = 2
    HARNESS_DEFECT = 3
    USAGE = 4
    NOTHING_PASSED = 5
    UNREACHABLE = 6
    INCOMPLETE = 7


PRECEDENCE = (
    ExitStatus.USAGE,
    ExitStatus.INTERRUPTED,
    ExitStatus.HARNESS_DEFECT,
    ExitStatus.UNREACHABLE,
    ExitStatus.NOT_CONFORMANT,
    ExitStatus.NOTHING_PASSED,
    ExitStatus.OK,
)


class HarnessError(Exception):
    """What was expected, what came, where, and what to do next, in one line.

    Args:
        message: the line itself.
        hint: what to do next; printed after the message.
    """

    status = ExitStatus.NOT_CONFORMANT

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(HarnessError):
    """A wrong option, file, variable or name."""

    status = ExitStatus.USAGE


class ConfigError(UsageError):
    """An EHR file, a tenant file or a secret that one of them refers to."""


class EhrUnreachable(HarnessError):
    """The EHR gave no answer: name resolution, connection, TLS or time-out.

    Args:
        message: whom, and what happened instead.
        hint: what to do next.
        sent: False where the request surely did not reach the EHR, so that a write may be repeated.
    """

    status = ExitStatus.UNREACHABLE

    def __init__(self, message: str, *, hint: str | None = None, sent: bool = True) -> None:
        self.sent = sent
        super().__init__(message, hint=hint)


class PackageUnavailable(HarnessError):
    """No registry could give a package of FHIR definitions; the message says what each answered."""

    status = ExitStatus.UNREACHABLE


class HostileInput(HarnessError):
    """An answer beyond its bounds: too large, too deep, or pointing where it must not."""


class ProtocolError(HarnessError):
    """An answer that cannot be used for the step at hand."""


class OAuthError(ProtocolError):
    """An OAuth error response (RFC 6749 sections 4.1.2.1 and 5.2).

    Args:
        error: the registered code, such as `invalid_grant`.
        description: the server's own words, if any.
        http_status: the status of the response; None when it came by redirect.
    """

    def __init__(
        self, error: str, description: str | None = None, *, http_status: int | None = None
    ) -> None:
        self.error = error
        self.description = description
        self.http_status = http_status
        super().__init__(f"{error}: {description}" if description else error)


class LoginFailed(ProtocolError):
    """The login driver could not get past a page of the authorization server.

    Attributes:
        denied: the request had been declined by then, as was wished.
    """

    denied = False


class GrantLost(ProtocolError):
    """A stored refresh token was refused; only a new login helps.

    Args:
        message: whose token, and what the server said.
        login: the options of the login that helps, such as `--tenant north`.
    """

    def __init__(self, message: str, *, login: str = "") -> None:
        super().__init__(message, hint=f"log in again with: harness login {login}".rstrip())


class Throttled(HarnessError):
    """The EHR refused for load, and asks to wait longer than this run may.

    Args:
        retry_after: seconds that the EHR asks for; None where it names none.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SyncIncomplete(HarnessError):
    """A sync ended without all that it should have; the message names what is missing."""

    status = ExitStatus.INCOMPLETE


class Judgement(Exception):
    """How an act or a check ends early."""


class NotConformant(Judgement, AssertionError):
    """The server does not do what the requirement says.

    Args:
        expected: all that would have been acceptable.
        actual: what came instead.
        where: the request it came from, such as `POST /token`; None when it is no single one.
    """

    def __init__(self, expected: str, actual: str, where: str | None = None) -> None:
        self.expected = expected
        self.actual = actual
        self.where = where
        place = f"{where} | " if where else ""
        super().__init__(f"{place}expected: {expected} | actual: {actual}")


class Skip(Judgement):
    """Not judged; `word` is what reports say, the argument is the reason."""

    word = "skipped"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class NotApplicable(Skip):
    """The requirement does not bind this server."""

    word = "not applicable"


class NotSupported(Skip):
    """Optional, and the server does not claim it."""

    word = "not supported"


class NotConfigured(Skip):
    """The EHR file does not say how."""

    word = "not configured"


class NotPermitted(Skip):
    """The EHR file does not permit it."""

    word = "not permitted"


class PrerequisiteFailed(Skip):
    """Something it stands on failed, and is reported there."""

    word = "prerequisite failed"
