"""How two definitions of one family differ."""

from collections.abc import Mapping
from typing import Any

from fleetmeter.schema.definition import PACKED, read_json
from fleetmeter.schema.keys import split_family_field
from fleetmeter.schema.scale import Scale

CONFLICTS = ("type", "labels", "scale", "mode", "unit", "bounds", "label_order", "help", "other")
"""Every reason, the worst first: `type` hides numbers; a changed help text or bucket list is usual in a deploy."""


def reasons(field: str, stored: str, own: Mapping[str, str]) -> list[str]:
    """How a definition in the store differs from this writer's own: some of `CONFLICTS`.

    `field` is its field in `families`, `stored` its text; `own` has the texts that the writer sent, by field. If the
    types differ, that is the only reason given. If they differ only in how the store keeps the numbers, there is none.
    """
    family = split_family_field(field)[0]
    mine = own.get(field)
    if mine is None or mine == stored:  # it stands beside another layout of this writer, perhaps both are its own
        others = [text for name, text in own.items() if name != field and split_family_field(name)[0] == family]
    else:
        others = [mine]
    found = {reason for other in others for reason in _differences(stored, other)}
    if found == {"packing"}:
        return []
    if "type" in found:
        return ["type"]
    return [reason for reason in CONFLICTS if reason in found] or ["other"]


def _differences(stored: str, mine: str) -> set[str]:
    """The reasons, and `packing`, which is none: the same numbers are kept in two ways during an upgrade."""
    try:
        theirs, ours = _readable(stored), _readable(mine)
        if theirs["type"] != ours["type"]:
            return {"type"}
        compared = ("scale", "mode", "unit", "bounds", "help", "packing")
        found = {name for name in compared if theirs[name] != ours[name]}
        if theirs["labels"] != ours["labels"]:
            found.add("label_order" if _same(theirs["labels"], ours["labels"]) else "labels")
    except (ValueError, TypeError, KeyError, AttributeError):  # another version's, with what this one does not know
        return set()
    return found


def _readable(text: str) -> dict[str, Any]:
    """A definition's content without its packing, which stands under a name of its own."""
    content: dict[str, Any] = read_json(text)
    kind: str = content["type"]
    packing = kind.startswith(PACKED)
    scale = Scale.PLAIN if content["scale"] == Scale.FEMTO else content["scale"]
    return {**content, "type": kind.removeprefix(PACKED), "scale": scale, "packing": packing}


def _same(one: Any, other: Any) -> bool:
    return sorted(map(str, one)) == sorted(map(str, other))
