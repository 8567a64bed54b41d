"""Secrets of a replay: none is resolved, and what must be well-formed is made up."""

from __future__ import annotations

from collections.abc import Mapping

from harness.config.ehr import EhrFile, SecretRef
from harness.config.secrets import Secrets
from harness.smart.keys import generate, private_jwk


class StandInSecrets(Secrets):
    """Answers every reference without looking anywhere.

    Args:
        ehr: says which references are keys; those get a fresh one of the right kind.
        texts: what is no secret though it is kept like one (client ids), as recorded.
    """

    def __init__(self, ehr: EhrFile, texts: Mapping[str, str]) -> None:
        super().__init__({})
        self._keys = {str(each.key): each.alg for each in ehr.clients if each.key}
        self._texts = dict(texts)

    def _value(self, ref: SecretRef) -> str:
        name = str(ref)
        if name not in self._texts:
            alg = self._keys.get(name)
            self._texts[name] = private_jwk(generate(alg)) if alg else f"stand-in-for-{ref.name}"
        return self._texts[name]


def texts(ehr: EhrFile, secrets: Secrets) -> dict[str, str]:
    """The client ids that the EHR file refers to, for a recording; they are no secrets."""
    refs = [each.id for each in ehr.clients if isinstance(each.id, SecretRef)]
    return {str(ref): secrets.text(ref) for ref in refs if not secrets.missing([("", ref)])}
