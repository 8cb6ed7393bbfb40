"""The page of guarantees names tests that exist."""

import ast
import re
from functools import cache

from support.documents import ROOT, text_of

PAGE = "docs/guarantees.md"


@cache
def functions(file: str) -> set[str]:
    """The test functions of a file of `tests/`."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_guarantee_names_a_test() -> None:
    """Every row has one at least, by file and function, and both are there."""
    rows = re.findall(r"^\| (?!what holds|---)(.+?) \| (.+) \|$", text_of(PAGE), re.MULTILINE)
    assert len(rows) > 30
    for promise, tests in rows:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", tests)
        assert named, promise
        assert tests == ", ".join(f"`{file}::{name}`" for file, name in named)
        for file, name in named:
            assert name in functions(file), f"{promise} {file} has no {name}"
