"""Acts of granular scopes: a resource type that is narrowed to a category, granted and held to.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from harness.checks.acting import Run, act
from harness.checks.acts.access import IDENTITY, OFFLINE, Access, fhir_get
from harness.checks.acts.launch import authorized, exchanged, launched, planned, whole_launch
from harness.checks.found import bundle_of, objects
from harness.checks.launching import Authorization, Launch, Plan
from harness.config.ehr import LaunchKind
from harness.errors import NotApplicable, NotConfigured, NotSupported, PrerequisiteFailed
from harness.fhir.bundle import Resource
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.scopes import Scope, ScopeSet

LEVELS = ("patient", "user", "system")
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_US_CORE = "http://hl7.org/fhir/us/core/CodeSystem"
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "Condition": (
        f"{_TERMINOLOGY}/condition-category|encounter-diagnosis",
        f"{_TERMINOLOGY}/condition-category|problem-list-item",
        f"{_US_CORE}/condition-category|health-concern",
    ),
    "Observation": (
        f"{_TERMINOLOGY}/observation-category|vital-signs",
        f"{_TERMINOLOGY}/observation-category|laboratory",
        f"{_TERMINOLOGY}/observation-category|social-history",
        f"{_TERMINOLOGY}/observation-category|survey",
        f"{_US_CORE}/us-core-category|sdoh",
    ),
}
"""The categories that US Core (6.1.0 and later) wants granular scopes for; the first is asked for
where no launch of the EHR file says which."""


@dataclass(frozen=True, slots=True)
class Granular:
    """A launch with granular scopes, however it ended.

    Attributes:
        asked: the granular scopes by resource type; those that the check may hold the server to.
        authorization: up to the redirect.
        launch: None where it yielded no token.
    """

    asked: Mapping[str, Scope]
    authorization: Authorization
    launch: Launch | None

    def opens(self, type_: str, *, partly: bool = False) -> bool:
        """Whether the type may be read as a whole; `partly`: or some of it."""
        if self.launch is None:
            return False
        granted = self.launch.granted
        return any(granted.allows(level, type_, "r", partly=partly) for level in LEVELS)

    def granted(self, type_: str) -> bool:
        """Whether some of the type was granted, and not the whole of it."""
        return self.opens(type_, partly=True) and not self.opens(type_)

    def outcome(self, type_: str) -> str:
        """What was granted of the type instead."""
        if self.launch is None:
            return f"no token: {self.authorization.outcome}"
        given = [str(each) for each in self.launch.granted.resources if each.type in (type_, "*")]
        return f"granted: {' '.join(given) or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Beyond:
    """What a granular token reaches of its type beyond its category.

    Attributes:
        search: the one of its searches that found most.
        strangers: how many resources of other categories it found.
        read: of one resource of another category; None where none is known.
    """

    search: Exchange
    strangers: int
    read: Exchange | None


def granular(scopes: Iterable[str]) -> dict[str, Scope]:
    """The scopes of those types that are narrowed to categories, by type."""
    parsed = [Scope.parse(each) for each in scopes]
    return {
        str(each.type): each
        for each in parsed
        if each.type in CATEGORIES and [name for name, _ in each.conditions] == ["category"]
    }


def within(resource: Resource, scope: Scope) -> bool:
    """Whether a resource has one of the categories that a granular scope names."""
    wanted = {value for _, values in scope.conditions for value in values}
    for concept in objects(resource.get("category")):
        for coding in objects(concept.get("coding")):
            token = f"{coding.get('system', '')}|{coding.get('code')}"
            if wanted & {token, str(coding.get("code"))}:
                return True
    return False


def _narrowed(what: Plan) -> Plan:
    """The launch with a category in the place of each type that has some.

    Raises:
        NotApplicable: it asks for no such type.
    """
    scopes = [Scope.parse(each) for each in what.spec.scopes]
    read = [each for each in scopes if each.type in CATEGORIES and {"r", "s"} <= each.permissions]
    if not read:
        raise NotApplicable(f"launch {what.spec.name!r} reads neither Condition nor Observation")
    context = [str(each) for each in scopes if not each.is_resource]
    context = [each for each in context if each not in OFFLINE | IDENTITY]
    only = (
        f"{each.level}/{each.type}.rs?category={CATEGORIES[str(each.type)][0]}" for each in read
    )
    return replace(what, spec=replace(what.spec, scopes=(*context, *dict.fromkeys(only))))


def _configured(run: Run) -> Plan | None:
    """The launch of the EHR file that asks for granular scopes."""
    for each in run.ehr.launches:
        if each.kind is LaunchKind.STANDALONE and granular(each.scopes):
            return planned(run, each)
    return None


@act
async def granular_launch(run: Run, discovery: Discovery, launch: Launch) -> Granular:
    """A launch with granular scopes: that of the EHR file, else the first one, narrowed."""
    if not discovery.claims("permission-v2"):
        raise NotSupported("permission-v2 is not declared")
    named = _configured(run)
    what = named or _narrowed(launch.authorization.plan)
    done = await authorized(run, discovery, what)
    token = await exchanged(run, discovery, done) if done.code else None
    try:
        made = launched(run, done, token) if token else None
    except PrerequisiteFailed:
        made = None
    if made and not ScopeSet(launch.granted.resources).missing(made.granted):
        raise NotApplicable("the server grants the same scopes whatever a launch asks for")
    found = Granular(granular(what.spec.scopes), done, made)
    if named:
        return found
    # Scopes may be limited to those that a client is registered with, which nobody can see.
    kept = {each: scope for each, scope in found.asked.items() if found.opens(each, partly=True)}
    if not kept:
        raise NotConfigured("this client gets no granular scopes: name a launch that asks for them")
    return replace(found, asked=kept)


@act
async def granular_reach(
    run: Run, discovery: Discovery, access: Access, launch: Launch, granular_launch: Granular
) -> Mapping[str, Beyond]:
    """Resources beyond the categories of the token: searched for, and read."""
    made = granular_launch.launch
    if made is None:
        raise PrerequisiteFailed(f"no granular token: {granular_launch.authorization.outcome}")
    asked = {k: v for k, v in granular_launch.asked.items() if granular_launch.granted(k)}
    whole = await _whole(run, discovery, launch, granular_launch, asked)
    return {
        type_: await _beyond(run, scope, made.token.access_token, whole.get(type_), access.patient)
        for type_, scope in asked.items()
    }


async def _whole(
    run: Run,
    discovery: Discovery,
    launch: Launch,
    granular_launch: Granular,
    asked: Mapping[str, Scope],
) -> dict[str, str]:
    """Tokens that search each type as a whole, where they are to be had."""
    own = [each for each in asked if launch.granted.allows("patient", each, "s")]
    tokens = dict.fromkeys(own, launch.token.access_token)
    if tokens.keys() == asked.keys():
        return tokens
    what = granular_launch.authorization.plan
    plain = tuple(each.partition("?")[0] for each in what.spec.scopes)
    try:
        more = await whole_launch(
            run, discovery, replace(what, spec=replace(what.spec, scopes=plain))
        )
    except NotSupported:
        return tokens
    return {each: tokens.get(each, more.token.access_token) for each in asked}


async def _beyond(run: Run, scope: Scope, bearer: str, whole: str | None, patient: str) -> Beyond:
    """What a granular token reaches of other categories, looked for in each of them."""
    type_ = str(scope.type)
    other = await _other_category(run, scope, whole, patient) if whole else None
    asked = [{"patient": patient}]
    asked += [{"patient": patient, "category": other[0]}] if other else []
    searches = [await _search(run, type_, each, bearer) for each in asked]
    counted = [(len(list(_outside(each, scope))), each) for each in searches]
    strangers, search = max(counted, key=lambda each: each[0])
    read = await fhir_get(run, f"{type_}/{other[1]}", bearer) if other else None
    return Beyond(search, strangers, read)


async def _other_category(
    run: Run, scope: Scope, bearer: str, patient: str
) -> tuple[str, str] | None:
    """A category that the scope does not name, and the id of a resource in it."""
    for category in CATEGORIES[str(scope.type)]:
        asked = {"patient": patient, "category": category}
        page = await _search(run, str(scope.type), asked, bearer)
        found = next(_outside(page, scope), None)
        if found is not None:
            return category, str(found.get("id"))
    return None


async def _search(run: Run, type_: str, asked: Mapping[str, str], bearer: str) -> Exchange:
    return await fhir_get(run, f"{type_}?{urlencode(asked, safe=':/|')}", bearer)


def _outside(page: Exchange, scope: Scope) -> Iterator[Resource]:
    """The resources of a page that have the type of the scope, and none of its categories."""
    for each in bundle_of(page).matches:
        if each.get("resourceType") == scope.type and not within(each, scope):
            yield each
