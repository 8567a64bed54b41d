"""A cut of power amid a run may take back pages, and nothing that a run has accounted for."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from harness.reference.process import Running
from harness.sync.store.store import Store
from harness.tests.chaos.wire import Trial

NORMAL, FULL = 1, 2


def test_only_the_commit_that_accounts_for_a_run_waits_for_the_disk(
    tmp_path: Path, reference: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[int]] = defaultdict(set)

    def watch(name: str) -> None:
        method = getattr(Store, name)

        def watched(store: Store, *args: Any, **kwargs: Any) -> Any:
            seen[name].add(store.connection.execute("PRAGMA synchronous").fetchone()[0])
            return method(store, *args, **kwargs)

        monkeypatch.setattr(Store, name, watched)

    for name in ("begin", "commit", "finish"):
        watch(name)
    trial = Trial.small(tmp_path, reference, "power-cut")
    assert trial.sync().status == "complete"
    assert seen == {"begin": {FULL}, "commit": {NORMAL}, "finish": {FULL}}
