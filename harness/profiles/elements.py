"""ElementDefinitions as `Element`, whole: what a snapshot says, its inheritance included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.profiles.tree import Node
from harness.spec.definitions.model import (
    UNBOUNDED,
    Binding,
    Constraint,
    Discriminator,
    Element,
    Slicing,
    Strength,
    TypeRef,
)

_EXTENSIONS = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = f"{_EXTENSIONS}structuredefinition-fhir-type"
REGEX = f"{_EXTENSIONS}regex"
_MAXIMUM_SET = f"{_EXTENSIONS}elementdefinition-maxValueSet"
_ADDITIONAL = "http://hl7.org/fhir/tools/StructureDefinition/additional-binding"
_TYPE_MUST_SUPPORT = f"{_EXTENSIONS}elementdefinition-type-must-support"
_USCDI = "http://hl7.org/fhir/us/core/StructureDefinition/uscdi-requirement"

_SYSTEM = "http://hl7.org/fhirpath/System."
_NAMED_OTHERWISE = {"DateTime": "dateTime"}


def element_of(name: str, node: Node) -> Element:
    """The element of that name with its children and slices."""
    said = node.definition
    most = said.get("max")
    limit = said.get("base", {}).get("max", most)
    return Element(
        name=name,
        minimum=said.get("min"),
        maximum=None if most is None else _count(most),
        array=limit is not None and _count(limit) > 1,
        types=tuple(_type_ref(each, said) for each in said.get("type", ())),
        same_as=_same_as(said),
        binding=_binding(said.get("binding")),
        fixed=_value(said, "fixed"),
        pattern=_value(said, "pattern"),
        constraints=tuple(_constraint(each) for each in said.get("constraint", ())),
        must_support=said.get("mustSupport", False),
        uscdi=bool(extension(said, _USCDI)),
        longest=said.get("maxLength"),
        slicing=_slicing(name, node),
        children={each: element_of(each, below) for each, below in node.children.items()},
    )


def extension(said: Mapping[str, Any], url: str) -> Any:
    """The value of the extension of that URL, or None."""
    for each in said.get("extension", ()):
        if each.get("url") == url:
            return _value(each, "value")
    return None


def unversioned(canonical: str) -> str:
    """A canonical URL without its version."""
    return canonical.partition("|")[0]


def _count(text: str) -> int:
    return UNBOUNDED if text == "*" else int(text)


def _value(said: Mapping[str, Any], word: str) -> Any:
    """The value of a choice such as `fixed[x]`, or None."""
    for key, value in said.items():
        if key.startswith(word) and key[len(word) :][:1].isupper():
            return value
    return None


def _type_ref(said: Mapping[str, Any], element: Mapping[str, Any]) -> TypeRef:
    targets = tuple(map(unversioned, said.get("targetProfile", ())))
    flags = _flags(said.get("_targetProfile", ()), targets)
    return TypeRef(
        code=_type_code(said, element),
        profiles=tuple(map(unversioned, said.get("profile", ()))),
        targets=targets,
        must_support=bool(extension(said, _TYPE_MUST_SUPPORT)),
        must_support_targets=tuple(each for each, flag in zip(targets, flags, strict=True) if flag),
    )


def _type_code(said: Mapping[str, Any], element: Mapping[str, Any]) -> str:
    """The FHIR type that is meant where a definition names a type of FHIRPath.

    R4 calls the id of a resource a string, against its own page of Resource; and a URL of an
    extension a uri, as it should.
    """
    code = str(said["code"])
    if not code.startswith(_SYSTEM):
        return code.removeprefix(_EXTENSIONS)
    if _is_id_of_resource(element):
        return "id"
    if meant := extension(said, FHIR_TYPE):
        return str(meant).removeprefix(_EXTENSIONS)
    system = code.removeprefix(_SYSTEM)
    return _NAMED_OTHERWISE.get(system, system.lower())


def _is_id_of_resource(element: Mapping[str, Any]) -> bool:
    return bool(element.get("base", {}).get("path", element["path"]) == "Resource.id")


def _flags(marks: Iterable[Any], targets: tuple[str, ...]) -> list[bool]:
    """Which of the targets are flagged; the siblings of a primitive's array stand beside it."""
    flags = [bool(extension(each or {}, _TYPE_MUST_SUPPORT)) for each in marks]
    return (flags + [False] * len(targets))[: len(targets)]


def _same_as(said: Mapping[str, Any]) -> str | None:
    reference = said.get("contentReference")
    return str(reference).rpartition("#")[2] if reference else None


def _binding(said: Mapping[str, Any] | None) -> Binding | None:
    if said is None or "valueSet" not in said:
        return None
    maximum = extension(said, _MAXIMUM_SET)
    return Binding(
        Strength(said["strength"]),
        unversioned(said["valueSet"]),
        unversioned(maximum) if maximum else None,
        tuple(_additional(said)),
    )


def _additional(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Purpose and value set of each further binding that says something beyond the first."""
    for each in said.get("extension", ()):
        if each.get("url") == _ADDITIONAL:
            purpose, url = extension(each, "purpose"), extension(each, "valueSet")
            if purpose and url:
                yield str(purpose), unversioned(str(url))


def _constraint(said: Mapping[str, Any]) -> Constraint:
    return Constraint(
        said["key"], said["severity"], said.get("expression", ""), said.get("human", "")
    )


def _slicing(name: str, node: Node) -> Slicing | None:
    said = node.definition.get("slicing", {})
    if not said and not node.slices:
        return None
    return Slicing(
        tuple(Discriminator(each["type"], each["path"]) for each in said.get("discriminator", ())),
        said.get("rules", "open"),
        said.get("ordered", False),
        {each: element_of(name, below) for each, below in node.slices.items()},
    )
