"""What a guide expects of a server: interactions, searches, operations, each with SHALL or SHOULD.

https://hl7.org/fhir/R4/capabilitystatement.html and https://hl7.org/fhir/R4/searchparameter.html,
with https://hl7.org/fhir/R4/extension-capabilitystatement-expectation.html on their parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Expectation(StrEnum):
    """How strongly something is expected.

    https://hl7.org/fhir/R4/valueset-conformance-expectation.html
    """

    SHALL = "SHALL"
    SHOULD = "SHOULD"
    MAY = "MAY"
    SHOULD_NOT = "SHOULD-NOT"


Expectations: TypeAlias = Mapping[str, Expectation | None]
"""What is expected, by name, in the order of the statement; None where it does not say how much."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether a search parameter may be repeated, or have several values.

    Attributes:
        allowed: None where the definition does not say.
        expectation: how strongly servers are to allow it.
    """

    allowed: bool | None = None
    expectation: Expectation | None = None


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """The definition of a search parameter.

    Attributes:
        url: canonical, without a version.
        code: as it stands in a query: `clinical-status`.
        kind: `token`, `date`, `reference`, `string`, `quantity`, `composite` ...
        bases: types that it searches.
        expression: FHIRPath to what it looks at, or None.
        targets: types that a reference may lead to.
        comparators: prefixes, such as `gt`.
        modifiers: such as `missing`.
        chains: parameters that it may be chained with.
        multiple_or: `a,b`.
        multiple_and: the parameter twice.
        components: of a composite: canonical URL of the parameter, and expression.
    """

    url: str
    code: str
    kind: str
    bases: tuple[str, ...]
    expression: str | None = None
    targets: tuple[str, ...] = ()
    comparators: Expectations = field(default_factory=dict)
    modifiers: Expectations = field(default_factory=dict)
    chains: Expectations = field(default_factory=dict)
    multiple_or: Allowance = Allowance()
    multiple_and: Allowance = Allowance()
    components: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedParameter:
    """A search parameter that a server is expected to have.

    Attributes:
        name: in the query.
        kind: as of `SearchParameter`.
        definition: canonical URL of its `SearchParameter`, or None.
        expectation: how strongly.
    """

    name: str
    kind: str
    definition: str | None
    expectation: Expectation | None


@dataclass(frozen=True, slots=True)
class Combination:
    """Search parameters that a server is expected to take together.

    https://hl7.org/fhir/R4/extension-capabilitystatement-search-parameter-combination.html
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    expectation: Expectation | None


@dataclass(frozen=True, slots=True)
class ExpectedOperation:
    """An operation: its name without the dollar, and the canonical URL of its definition."""

    name: str
    definition: str
    expectation: Expectation | None


@dataclass(frozen=True, slots=True)
class ExpectedResource:
    """What is expected for one resource type.

    Attributes:
        type: `Observation`.
        expectation: whether the type is to be there at all.
        profiles: canonical URLs that its resources are to meet.
        interactions: `read`, `search-type`, ...
        parameters: search parameters by name.
        combinations: of them.
        includes: values of `_include`.
        revincludes: values of `_revinclude`.
        operations: on this type.
        reference_policies: `literal`, `resolves` ...
    """

    type: str
    expectation: Expectation | None
    profiles: Expectations = field(default_factory=dict)
    interactions: Expectations = field(default_factory=dict)
    parameters: Mapping[str, ExpectedParameter] = field(default_factory=dict)
    combinations: tuple[Combination, ...] = ()
    includes: Expectations = field(default_factory=dict)
    revincludes: Expectations = field(default_factory=dict)
    operations: tuple[ExpectedOperation, ...] = ()
    reference_policies: Expectations = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """A CapabilityStatement of what servers are to do.

    Attributes:
        url: canonical, without a version.
        version: of the statement.
        title: for a person.
        formats: of bodies.
        patch_formats: of patches.
        interactions: of the whole server: `transaction`, `batch` ...
        resources: by type.
        operations: of the whole server.
    """

    url: str
    version: str
    title: str
    formats: Expectations = field(default_factory=dict)
    patch_formats: Expectations = field(default_factory=dict)
    interactions: Expectations = field(default_factory=dict)
    resources: Mapping[str, ExpectedResource] = field(default_factory=dict)
    operations: tuple[ExpectedOperation, ...] = ()
