"""Small definitions and packages, made for tests."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.spec.definitions.encode import TYPES

URL = "http://example.org/fhir/"
OWN = f"{URL}StructureDefinition/"


def element(
    path: str, least: int = 0, most: str = "1", *types: str, id_: str | None = None, **more: Any
) -> dict[str, Any]:
    """An ElementDefinition."""
    said: dict[str, Any] = {"id": id_ or path, "path": path, "min": least, "max": most}
    if types:
        said["type"] = [{"code": each} for each in types]
    return said | more


def type_(
    name: str, *elements: dict[str, Any], kind: str = "complex-type", base: str | None = "Element"
) -> dict[str, Any]:
    """The StructureDefinition of a type, with the elements that every type has."""
    system = "http://hl7.org/fhirpath/System.String"
    common = [
        element(name, 0, "*", constraint=[invariant("ele-1")]),
        element(f"{name}.id", 0, "1", system),
        element(f"{name}.extension", 0, "*", "Extension"),
    ]
    return {
        "resourceType": "StructureDefinition",
        "url": TYPES + name,
        "name": name,
        "kind": kind,
        "type": name,
        "derivation": "specialization",
        "snapshot": {"element": [*common, *elements]},
    } | ({"baseDefinition": TYPES + base} if base else {})


def profile(
    name: str,
    type_name: str,
    snapshot: Iterable[dict[str, Any]] | None = None,
    differential: Iterable[dict[str, Any]] = (),
    base: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The StructureDefinition of a profile."""
    said: dict[str, Any] = {
        "resourceType": "StructureDefinition",
        "url": OWN + name,
        "version": "1.0.0",
        "name": name,
        "title": name.title(),
        "kind": "resource",
        "type": type_name,
        "derivation": "constraint",
        "baseDefinition": base or TYPES + type_name,
        "differential": {"element": list(differential)},
    }
    if snapshot is not None:
        said["snapshot"] = {"element": list(snapshot)}
    return said | more


def invariant(key: str, expression: str = "true", severity: str = "error") -> dict[str, Any]:
    """A constraint of an element."""
    return {"key": key, "severity": severity, "expression": expression, "human": key}


def base_types() -> list[dict[str, Any]]:
    """A world of few types, with a resource `Thing`."""
    binding = {"strength": "example", "valueSet": f"{URL}ValueSet/things|1.0"}
    return [
        type_("Element", base=None),
        type_("BackboneElement"),
        type_("Extension", element("Extension.url", 1, "1", "uri")),
        type_("code", element("code.value", 0, "1"), kind="primitive-type"),
        type_("uri", kind="primitive-type"),
        type_(
            "Coding",
            element("Coding.system", 0, "1", "uri"),
            element("Coding.code", 0, "1", "code"),
        ),
        type_("Reference", element("Reference.reference", 0, "1", "uri")),
        type_(
            "Thing",
            element("Thing.status", 1, "1", "code"),
            element("Thing.kind", 0, "*", "Coding", binding=binding),
            element(
                "Thing.owner",
                type=[{"code": "Reference", "targetProfile": [TYPES + "Thing", TYPES + "Other"]}],
            ),
            element("Thing.value[x]", 0, "1", "code", "Coding"),
            element("Thing.part", 0, "*", "BackboneElement", constraint=[invariant("thg-1")]),
            element("Thing.part.name", 1, "1", "code"),
            element("Thing.part.part", 0, "*", contentReference="#Thing.part"),
            kind="resource",
            base=None,
        ),
    ]


def manifest(name: str = "example.package", version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    """A package.json."""
    return {
        "name": name,
        "version": version,
        "license": "CC0-1.0",
        "fhirVersions": ["4.0.1"],
    } | more


def packed(resources: Iterable[Mapping[str, Any]], **said: Any) -> dict[str, bytes]:
    """The files of a package."""
    files = {"package/package.json": json.dumps(manifest(**said)).encode()}
    for number, each in enumerate(resources):
        files[f"package/{each['resourceType']}-{number}.json"] = json.dumps(each).encode()
    return files


def archive(files: Mapping[str, bytes], *odd: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    """A tar of these files, and of members without content."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for each in odd:
            tar.addfile(each)
    return raw.getvalue()


def written(folder: Path, files: Mapping[str, bytes], name: str = "package.tgz") -> Path:
    """An archive of these files on the disk."""
    place = folder / name
    place.write_bytes(archive(files))
    return place
