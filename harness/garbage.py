"""How often Python looks for garbage that refers to itself, in processes that make little of it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collecting_rarely(after: int) -> Iterator[None]:
    """Look once in so many objects; what is there already is never looked through.

    What is loaded stays, and looking through it again and again is a tenth of what a process that
    parses all the time computes.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(after)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
