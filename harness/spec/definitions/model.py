"""What FHIR definitions say, reduced to what a validator and the suites ask of them.

https://hl7.org/fhir/R4/elementdefinition.html and https://hl7.org/fhir/R4/profiling.html

A definition is a tree: an element, what it may hold, and its children by name. A `Type` lists every
element that it has, inherited ones included. A `Profile` holds only what it says beyond the type or
profile that it narrows: an element that it leaves as it is does not appear, and neither does a rule
that stands in the type already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

UNBOUNDED = 2**31 - 1
"""`*`, as a number that every count stays below."""


class Strength(StrEnum):
    """How binding a binding is.

    https://hl7.org/fhir/R4/terminologies.html#strength
    """

    REQUIRED = "required"
    EXTENSIBLE = "extensible"
    PREFERRED = "preferred"
    EXAMPLE = "example"


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the codes of an element come from.

    Attributes:
        strength: how binding it is.
        value_set: canonical URL, without a version.
        maximum: canonical URL of the set that an extensible binding may not leave, or None.
        additional: purpose and canonical URL of further sets: `current`, that new records take;
            `minimum`, whose codes a system has to support; `extensible`, `preferred`.
    """

    strength: Strength
    value_set: str
    maximum: str | None = None
    additional: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """An invariant.

    Attributes:
        key: such as `us-core-2`; other definitions use the same one for something else.
        severity: `error` or `warning`.
        expression: FHIRPath, as it stands in the definition.
        human: what it says, for a person.
    """

    key: str
    severity: str
    expression: str
    human: str


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One type that an element may have.

    Attributes:
        code: a FHIR type: `Quantity`, `code`, `BackboneElement`, `Resource`; never a URL.
        profiles: canonical URLs of the profiles of which its value has to meet one.
        targets: canonical URLs of what a Reference or canonical may lead to; none permits anything.
        must_support: whether this type is one that has to be supported (type-level must-support).
        must_support_targets: those of `targets` that have to be supported.
    """

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    must_support: bool = False
    must_support_targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discriminator:
    """What tells slices apart.

    https://hl7.org/fhir/R4/profiling.html#discriminator

    Attributes:
        kind: `value`, `pattern`, `exists`, `type` or `profile`.
        path: restricted FHIRPath from the sliced element: `coding.code`, `$this`, `url`.
    """

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Slicing:
    """How an element is cut into slices.

    Attributes:
        discriminators: all of them decide.
        rules: `open`, `closed` or `openAtEnd`.
        ordered: whether the slices come in their order.
        slices: by name, in the definition's order.
    """

    discriminators: tuple[Discriminator, ...]
    rules: str = "open"
    ordered: bool = False
    slices: Mapping[str, Element] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Element:
    """One element, or one slice of it.

    In a profile, what is None or empty is not narrowed.

    Attributes:
        name: as in JSON, but `value[x]` for a choice. The root has the name of its type.
        minimum: how often at least.
        maximum: how often at most; of a type `UNBOUNDED` where there is no limit.
        array: whether JSON has an array here, which the type decides and never a profile.
        types: what it may be. A child of a backbone has `BackboneElement` or `Element` here.
        same_as: path of the element whose children it has, `Observation.referenceRange`, or None.
        binding: of its codes.
        fixed: the exact value, or None.
        pattern: what the value has to contain, or None.
        constraints: invariants whose context it is.
        must_support: flagged so.
        uscdi: flagged as an additional USCDI requirement.
        longest: of a string, in characters.
        slicing: of a repeating element or a choice.
        children: by name, in the definition's order.
    """

    name: str
    minimum: int | None = None
    maximum: int | None = None
    array: bool = False
    types: tuple[TypeRef, ...] = ()
    same_as: str | None = None
    binding: Binding | None = None
    fixed: Any = None
    pattern: Any = None
    constraints: tuple[Constraint, ...] = ()
    must_support: bool = False
    uscdi: bool = False
    longest: int | None = None
    slicing: Slicing | None = None
    children: Mapping[str, Element] = field(default_factory=dict)


class Kind(StrEnum):
    """What a type is."""

    RESOURCE = "resource"
    COMPLEX = "complex-type"
    PRIMITIVE = "primitive-type"


@dataclass(frozen=True, slots=True)
class Type:
    """A resource or data type of FHIR R4.

    Attributes:
        name: `Observation`, `Quantity`, `dateTime`.
        kind: what it is.
        abstract: whether nothing is of this type itself: `Resource`, `Element`.
        base: the type that it is derived from: `DomainResource`; None of `Resource` and `Element`.
        root: its elements. Of a primitive `root.children` holds `id` and `extension` only.
        regex: of a primitive's value, as the definition has it, or None.
    """

    name: str
    kind: Kind
    abstract: bool
    base: str | None
    root: Element
    regex: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Must-support elements or targets of which one is enough.

    Attributes:
        elements: ids below the root: `reasonCode`, `extension:assertedDate`, `address.period.end`.
        targets: canonical URLs of the profiles that the one element in `elements` leads to.
        uscdi: whether what it is about are additional USCDI requirements.
    """

    elements: tuple[str, ...]
    targets: tuple[str, ...] = ()
    uscdi: bool = False


@dataclass(frozen=True, slots=True)
class Amendment:
    """A must-support flag that was given or taken after the definition was published.

    Attributes:
        element: id below the root, such as `custodian` or `name.use`; what is below it and its
            slices are meant as well.
        reason: the tracker number or the notice, for a person.
        value: the one value that counts, such as `old` of `name.use`; None where any does.
        targets: canonical URLs where it is about these targets of the element alone.
        uscdi: whether it is an additional USCDI requirement.
    """

    element: str
    reason: str
    value: str | None = None
    targets: tuple[str, ...] = ()
    uscdi: bool = False


@dataclass(frozen=True, slots=True)
class Support:
    """What is to be supported beyond the flags of the elements, from the guide's own words.

    Attributes:
        choices: of which one is enough.
        added: to be supported without a flag.
        withdrawn: flagged, and not to be supported.
    """

    choices: tuple[Choice, ...] = ()
    added: tuple[Amendment, ...] = ()
    withdrawn: tuple[Amendment, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile or extension.

    Attributes:
        url: canonical, without a version.
        version: such as `6.1.0`.
        title: for a person.
        type: the type that it narrows: `Observation`, `Extension`.
        base: canonical URL of the definition that it narrows; what that one says is included here
            unless it is the type itself.
        root: what it says beyond the type.
        context: of an extension: the elements it may stand on, such as `Patient`, and the URLs of
            extensions that it may stand in; empty where it may stand anywhere.
        support: what its must-support flags do not say.
    """

    url: str
    version: str
    title: str
    type: str
    base: str
    root: Element
    context: tuple[str, ...] = ()
    support: Support = Support()


@dataclass(frozen=True, slots=True)
class ValueSet:
    """The codes of a value set, as far as they are known without a terminology server.

    Attributes:
        url: canonical, without a version.
        codes: by system; None stands for every code of a system whose codes are not known here.
        complete: whether a code that is not among them is certainly not in the set.
        systems: all that the set takes codes from, where that is known of a set that is not
            complete: a code of another system is certainly not in it. None where it is not known.
    """

    url: str
    codes: Mapping[str, frozenset[str] | None]
    complete: bool
    systems: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system whose codes are all known.

    Attributes:
        url: the system.
        codes: all of them.
        above: codes directly above a code, by the code; of those that have any.
    """

    url: str
    codes: frozenset[str]
    above: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
