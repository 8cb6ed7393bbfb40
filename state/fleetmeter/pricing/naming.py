"""Tells the names of one model from the names of other models that share its entry in the price list.

genai-prices puts models that cost the same into one entry: `gpt-5-codex` is in the entry of `gpt-5`. But these are
different models, so each is counted under its own name, and each ends on its own day.
"""

import re
from collections.abc import Iterator
from typing import Any

_SNAPSHOT = re.compile(r"-(?:20\d\d-\d\d-\d\d|20\d{6}|\d{4})$")
_OTHER_NAMES = {
    "gpt-5.6": "gpt-5.6-sol",
    "gpt-5-6": "gpt-5.6-sol",
    "chat-latest": "gpt-chat-latest",
    "gpt-4-turbo-preview": "gpt-4-turbo",
    "gpt-4-0125-preview": "gpt-4-turbo",
    "gpt-4-1106-preview": "gpt-4-turbo",
    "gpt-4-turbo-0125-preview": "gpt-4-turbo",
    "gpt-4-1106-vision-preview": "gpt-4-vision-preview",
    "o3-mini-high": "o3-mini",
    "o4-mini-high": "o4-mini",
    "gpt-3.5-turbo-0301": "gpt-3.5-0301",
    "text-ada-001": "ada",
    "text-curie-001": "curie",
    "text-davinci-001": "davinci",
    "text-embedding-ada": "text-embedding-ada-002",
    "text-embedding-ada-002-v2": "text-embedding-ada-002",
}
"""Other names of a model that follow from no rule."""


def own_name(name: str, entry: Any) -> str | None:
    """The name to count a model under, if the price list found `entry` for `name` (in lower case).

    None if the entry fits only the beginning of the name, and the rest says that it is another model.
    """
    if is_same(name, entry.id):
        return _id_of(entry)
    if name in exact_names(entry):
        return _representative(name, exact_names(entry))
    if name.startswith("ft:"):
        base = _SNAPSHOT.sub("", name.split(":")[1])
        fits = f"ft:{base}" in (entry.id.rstrip("-"), f"ft:{entry.id}")
        return f"ft:{base}" if fits else None
    if name.startswith(entry.id) and entry.id.endswith(".ft-"):  # Azure's fine-tunes
        return str(entry.id)
    return None


def is_same(name: str, model: str) -> bool:
    """Whether a name means a model, or a snapshot, preview or newest version of it, in any spelling."""
    if name == model or _OTHER_NAMES.get(name) == model:
        return True
    plain = _SNAPSHOT.sub("", name)
    forms = (name, plain, plain.removesuffix("-latest"), plain.removesuffix("-preview"))
    return any(_spelt(form) == _spelt(model) for form in forms)


def exact_names(entry: Any) -> frozenset[str]:
    """The names that an entry lists one by one, without names that it finds by a rule."""
    return frozenset(_clauses(entry.match, "equals"))


def names_of(entry: Any) -> set[str]:
    """Every name under which models of an entry are counted."""
    exact = exact_names(entry)
    names = {_representative(name, exact) for name in exact if not is_same(name, entry.id)} | {_id_of(entry)}
    begins = tuple(_clauses(entry.match, "starts_with"))
    if not entry.id.startswith("ft:") and any(begin.startswith("ft:") for begin in begins):
        names.add(f"ft:{entry.id}")
    return names


def _id_of(entry: Any) -> str:
    """The entry's name, for fine-tunes without the dash before the customer's part."""
    return str(entry.id).rstrip("-") if entry.id.startswith("ft:") else str(entry.id)


def _representative(name: str, exact: frozenset[str]) -> str:
    """The one name, among those of an entry, for all snapshots and spellings of a model: if possible one with dots."""
    for wanted in (_spelt(_SNAPSHOT.sub("", name)), _spelt(name)):
        same = sorted(
            (other for other in exact if _spelt(other) == wanted), key=lambda other: ("." not in other, other)
        )
        if same:
            return same[0]
    return name


def _clauses(clause: Any, kind: str) -> Iterator[str]:
    """The texts of all rules of one kind, including rules inside alternatives."""
    for part in getattr(clause, "or_", ()):
        yield from _clauses(part, kind)
    if hasattr(clause, kind):
        yield str(getattr(clause, kind)).lower()


def _spelt(name: str) -> str:
    """A name in one spelling: Azure writes `gpt-35` for `gpt-3.5`, as it allows no dots in names."""
    return re.sub(r"^gpt-35", "gpt-3-5", name.replace(".", "-"))
