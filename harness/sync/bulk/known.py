"""Whether exports have to be seen to; all else that they take is imported only then."""

from __future__ import annotations

from harness.sync.store.store import Store


def knows_exports(store: Store) -> bool:
    """Whether there is an export that the EHR was not told to forget."""
    return store.connection.execute("SELECT 1 FROM bulk_jobs").fetchone() is not None
