"""`docs/chaos.md` tells the truth: every row names tests, and each of them exists."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "chaos.md"
ROW = re.compile(r"^\| ([TAPSBXW]\d+) \|")
TEST = re.compile(r"`([a-z0-9_/]+\.py)::(test_[a-z0-9_]+)")


def rows() -> list[tuple[str, str]]:
    """Id and whole line of each row."""
    lines = PAGE.read_text("utf-8").splitlines()
    return [(found[1], line) for line in lines if (found := ROW.match(line))]


@lru_cache
def names_in(path: str) -> frozenset[str]:
    """Names of the test functions of a file below `harness/tests/`."""
    tree = ast.parse((ROOT / "harness" / "tests" / path).read_text("utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, kinds))


def test_each_row_names_tests_that_exist() -> None:
    for id_, line in rows():
        named = TEST.findall(line)
        assert named, f"{id_} names no test"
        for path, name in named:
            assert name in names_in(path), f"{id_}: {path} has no {name}"


def test_no_row_is_there_twice() -> None:
    ids = [id_ for id_, _ in rows()]
    assert len(ids) == len(set(ids))
