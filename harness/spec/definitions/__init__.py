"""FHIR definitions reduced to tables, and their reader."""

from harness.spec.definitions.library import (
    R4,
    TABLES,
    Definitions,
    Package,
    folder_of,
    load,
    opened,
    shipped,
)
from harness.spec.definitions.table import Source

__all__ = [
    "R4",
    "TABLES",
    "Definitions",
    "Package",
    "Source",
    "folder_of",
    "load",
    "opened",
    "shipped",
]
