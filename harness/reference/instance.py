"""One isolated EHR inside the process: its own store overlay, tokens, clock and faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.reference.access import Access
from harness.reference.bulk.jobs import Bulk
from harness.reference.clients import Client
from harness.reference.clock import InstanceClock
from harness.reference.oauth.id_token import IssuerKey
from harness.reference.oauth.launches import Launches
from harness.reference.oauth.ledger import Ledger
from harness.reference.oauth.sessions import Sessions
from harness.reference.people import Person
from harness.reference.push.subscriptions import Subscriptions
from harness.reference.smart import DEFAULT_SMART, SmartVersion
from harness.reference.throttle import Throttle

if TYPE_CHECKING:
    from harness.reference.fhir.store import Store


@dataclass(frozen=True, slots=True)
class Instance:
    """What the routes of one EHR stand on.

    Args:
        name: `default`, or the NAME of the path prefix `/i/NAME`.
        issuer: `{public}` or `{public}/i/NAME`; everything else lies below it.
        store: the FHIR data; a copy-on-write overlay of the data that all instances share.
        clients: registrations by client_id.
        people: who can sign in, by user name.
        key: signs id_tokens.
        faults: names from the catalogue of faults.
        variants: names from the catalogue of variants.
        smart: the version of SMART App Launch that it speaks.
        clock: the instance's own time.
        throttle: its rate limit, on real time.
        ledger: grants, codes and tokens.
        launches: launches out of the EHR that no app has answered yet.
        sessions: browsers that are signed in, and what they are about to approve.
        requests: (method, route, status) to how often it was answered.
        bulk: its Bulk Data exports.
        push: who wants to be told of writes.
        varied: a variant to how often it made a difference, or could have.
    """

    name: str
    issuer: str
    store: Store
    clients: Mapping[str, Client]
    people: Mapping[str, Person]
    key: IssuerKey
    faults: frozenset[str] = frozenset()
    variants: frozenset[str] = frozenset()
    smart: SmartVersion = DEFAULT_SMART
    clock: InstanceClock = field(default_factory=InstanceClock)
    throttle: Throttle = field(default_factory=Throttle)
    ledger: Ledger = field(default_factory=Ledger)
    launches: Launches = field(default_factory=Launches)
    sessions: Sessions = field(default_factory=Sessions)
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    varied: Counter[str] = field(default_factory=Counter)
    bulk: Bulk = field(default_factory=Bulk)
    push: Subscriptions = field(default_factory=Subscriptions)

    def has(self, name: str) -> bool:
        """Whether this instance has the fault or the variant; asked only where it counts."""
        if name in self.variants:
            self.varied[name] += 1
            return True
        return name in self.faults

    @property
    def fhir_base(self) -> str:
        """The FHIR base, without a trailing slash."""
        return f"{self.issuer}/r4"

    def oauth(self, endpoint: str) -> str:
        """URL of an OAuth endpoint: authorize, token, introspect, revoke, jwks, manage."""
        if endpoint == "manage":  # a page for people, beside the one that launches apps
            return f"{self.issuer}/manage"
        return f"{self.issuer}/oauth/{endpoint}"

    def lapses(self) -> frozenset[str]:
        """What its tokens forget to enforce; see `Access`."""
        forgotten = {
            "scope-read": self.has("scope-ignored-on-read"),
            "scope-search": self.has("scope-ignored-on-search"),
            "scope-write": self.has("scope-ignored-on-write"),
            "own-record": self.has("patient-record-open-to-any-scope"),
            "constraint-read": self.has("granular-scope-ignored-on-read"),
            "constraint-search": self.has("granular-scope-ignored-on-search"),
            "compartment-read": self.has("compartment-ignored-on-read"),
            "compartment-write": self.has("compartment-ignored-on-write"),
            "compartment-search": self.has("compartment-ignored-on-search"),
            "permissions": self.has("permissions-as-in-version-1"),
            "user-level": self.has("user-scope-not-honoured"),
            "wildcard": self.has("wildcard-not-honoured"),
        }
        return frozenset(lapse for lapse, holds in forgotten.items() if holds)

    def unbounded_access(self, client_id: str) -> Access:
        """Access to everything; only a fault hands it out."""
        scopes = ("system/*.cruds",)
        return Access(client_id, scopes, None, None, expires_at=self.clock.now())
