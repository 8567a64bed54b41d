"""What to do about a part of a request that is not supported."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.reference.fhir.outcome import Issue, refused


@dataclass(slots=True)
class Lenience:
    """Refuses, or keeps a warning (Bulk Data Access IG 2.0.0, `Prefer: handling=lenient`).

    Args:
        lenient: whether the client wants the rest to be done.
        warnings: what was left out so far.
    """

    lenient: bool
    warnings: list[Issue] = field(default_factory=list)

    def object_to(self, text: str, *, code: str = "not-supported") -> None:
        """Tells that something is left out.

        Raises:
            Refused: 400, unless the client is lenient.
        """
        if not self.lenient:
            raise refused(400, code, text)
        self.warnings.append(Issue(code, f"{text}; it was left out", severity="warning"))
