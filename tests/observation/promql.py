"""What a query asks for: its series with their labels, and what is done to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser

from observation.dashboards import Window

_ANY = Window(0.0, 3600.0)


@dataclass(frozen=True)
class Selector:
    """One selector of a query; `functions` are the calls around it, the nearest first."""

    name: str
    labels: frozenset[str]
    functions: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What stands in one query. `groups` are the labels that it keeps, with the names of the series below."""

    selectors: tuple[Selector, ...]
    groups: tuple[tuple[str, frozenset[str]], ...]


def asked(expression: str) -> Asked:
    """Read a query whose variables are not filled in yet. Raises `ValueError` for what is no PromQL."""
    selectors: list[Selector] = []
    groups: list[tuple[str, frozenset[str]]] = []
    for node, functions in _walk(promql_parser.parse(_ANY.fill(expression)), ()):
        if isinstance(node, promql_parser.VectorSelector):
            labels = frozenset(matcher.name for matcher in node.matchers.matchers)
            selectors.append(Selector(node.name or "", labels, functions))
        elif isinstance(node, promql_parser.AggregateExpr):
            below = {each.name or "" for each, _ in _walk(node, ()) if isinstance(each, promql_parser.VectorSelector)}
            labels = frozenset(node.modifier.labels if node.modifier is not None else ())
            groups += [(name, labels) for name in below]
    return Asked(tuple(selectors), tuple(groups))


def _walk(node: Any, functions: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    yield node, functions
    if isinstance(node, promql_parser.Call):
        functions = (node.func.name, *functions)
    children = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for child in [*children, *getattr(node, "args", ())]:
        if child is not None:
            yield from _walk(child, functions)
