"""What an EHR can do about writes: as its file says, else its CapabilityStatement, else as seen."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.config.ehr import WritesSpec
from harness.errors import ProtocolError
from harness.fhir.capability import Capability
from harness.sync.outbox.wire import OK, NotTold, Wire


@dataclass(slots=True)
class Abilities:
    """What may be relied on.

    Args:
        spec: of the EHR file.
        stated: the CapabilityStatement; None where there is none to be had.
    """

    spec: WritesSpec
    stated: Capability | None = None
    _refused: set[str] = field(default_factory=set)
    _batches: bool = True

    @classmethod
    async def learnt(cls, wire: Wire, spec: WritesSpec) -> Abilities:
        """Ask for the CapabilityStatement, unless the file answers all that matters."""
        if spec.conditional_create is not None and spec.identifier_search is not None:
            return cls(spec)
        try:
            exchange = await wire.ask(f"{wire.way.fhir.base}/metadata")
            stated = Capability.of(exchange) if exchange.status == OK else None
        except (NotTold, ProtocolError):
            stated = None
        return cls(spec, stated)

    def creates_once(self, type_: str) -> bool:
        """Whether `If-None-Exist` is honoured, as far as anybody says."""
        if type_ in self._refused:
            return False
        if self.spec.conditional_create is not None:
            return self.spec.conditional_create
        return bool(self.stated and self.stated.flag(type_, "conditionalCreate"))

    @property
    def batch(self) -> int:
        """How many creates may go out in one batch."""
        return self.spec.batch if self._batches else 1

    def refuses_batches(self) -> None:
        """A batch was refused as a whole."""
        self._batches = False

    def refuses_conditions(self, type_: str) -> None:
        """It was claimed, and refused where nothing stood against it."""
        self._refused.add(type_)

    def knows_patients(self, type_: str) -> bool:
        """Whether `patient` narrows a search of this type, by what the EHR says."""
        return bool(self.stated and self.stated.has_search_parameter(type_, "patient"))

    @property
    def tries_identifiers(self) -> bool:
        """Whether a search by identifier is worth trying: where the file does not rule it out."""
        return self.spec.identifier_search is not False

    def finds_identifiers(self, type_: str) -> bool:
        """Whether such a search is said to be answered."""
        if self.spec.identifier_search is not None:
            return self.spec.identifier_search
        return bool(self.stated and self.stated.has_search_parameter(type_, "identifier"))
