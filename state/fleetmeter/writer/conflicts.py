"""How two definitions of one family differ."""

from collections.abc import Mapping
from typing import Any

from fleetmeter.schema.definition import read_json
from fleetmeter.schema.keys import split_family_field

CONFLICTS = ("type", "labels", "scale", "mode", "unit", "bounds", "label_order", "help", "other")
"""Every reason, the worst first: `type` hides numbers; a changed help text or bucket list is usual in a deploy."""


def reasons(field: str, stored: str, own: Mapping[str, str]) -> list[str]:
    """How a definition in the store differs from this writer's own: some of `CONFLICTS`.

    `field` is its field in `families`, `stored` its text; `own` has the texts that the writer sent, by field. If the
    types differ, that is the only reason given.
    """
    family = split_family_field(field)[0]
    mine = own.get(field)
    if mine is None or mine == stored:  # it stands beside another layout of this writer, perhaps both are its own
        others = [text for name, text in own.items() if name != field and split_family_field(name)[0] == family]
    else:
        others = [mine]
    found = {reason for other in others for reason in _differences(stored, other)}
    if "type" in found:
        return ["type"]
    return [reason for reason in CONFLICTS if reason in found] or ["other"]


def _differences(stored: str, mine: str) -> set[str]:
    try:
        theirs, ours = read_json(stored), read_json(mine)
        if theirs["type"] != ours["type"]:
            return {"type"}
        found = {name for name in ("scale", "mode", "unit", "bounds", "help") if theirs[name] != ours[name]}
        if theirs["labels"] != ours["labels"]:
            found.add("label_order" if _same(theirs["labels"], ours["labels"]) else "labels")
    except (ValueError, TypeError, KeyError):  # another version's, with what this one does not know
        return set()
    return found


def _same(one: Any, other: Any) -> bool:
    return sorted(map(str, one)) == sorted(map(str, other))
