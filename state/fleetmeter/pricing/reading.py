"""From a usage as some server states it to the counts of a `Usage`, or to why they cannot be told."""

from collections.abc import Iterable, Mapping
from typing import Any

from fleetmeter.pricing import shapes
from fleetmeter.pricing.counts import brief, count, members

Counts = dict[str, Any]


class Doubtful(ValueError):
    """Counts cannot be told; `kind` is one of `Doubt`'s."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"usage: {reason.removeprefix('usage: ')}")
        self.kind = kind


class Reading:
    """The parts of one usage. `take_input` and `take_output` give the counts of a side, `agree` makes them one."""

    def __init__(self, fields: Mapping[str, Any], endpoint: str | None) -> None:
        """Raises `Doubtful` for what has no two sides."""
        if fields.get("type") == "duration":
            raise Doubtful("duration", "the answer is billed by its duration in seconds and states no tokens")
        self._fields = fields
        self._images = endpoint == "images"
        self.prompt_name, self.completion_name = self._pair()
        self.total = self._count(shapes.TOTAL) or None  # 0 is what servers say that do not count it
        self._hidden_side()

    def _pair(self) -> tuple[str, str]:
        stated = [pair for pair in shapes.PAIRS if self._fields.get(pair[0]) is not None]
        if not stated:
            raise Doubtful(
                "no_usage",
                "it has neither prompt_tokens nor input_tokens; "
                "expected the `usage` of a chat completion, a response or an embedding",
            )
        if len(stated) == 2:
            chat, response = ([self._count(name) or 0 for name in pair] for pair in stated)
            if chat != response and any(chat) and any(response):
                raise Doubtful("contradiction", "prompt_tokens and input_tokens state different counts")
            return stated[0] if any(chat) else stated[1]
        return stated[0]

    def _hidden_side(self) -> None:
        for name, value in self._fields.items():
            if _is_tokens(name) and name not in shapes.KNOWN_BESIDE and _positive(value):
                raise Doubtful("unknown_tokens", f"{brief(name)} is {brief(value)}, a kind of tokens that is not known")

    def take_input(self) -> Counts:
        """The counts of the prompt's side. Raises `ValueError` for what is in doubt."""
        details = self._details(shapes.INPUT_DETAILS)
        found: Counts = {"prompt": self._count(self.prompt_name) or 0}
        for part, names in shapes.INPUT_PARTS.items():
            numbers = [name for name in names if members(details.get(name)) is None]
            stated: list[tuple[str, int | None]] = [
                (name, count(name, details[name])) for name in numbers if details.get(name) is not None
            ]
            if part == "cached":
                stated += [(name, self._count(name)) for name in shapes.CACHED_INSIDE if self._stated(name)]
            found[part] = _one(stated)
        self._add_beside(found)
        self._add_durations(found, details)
        self._add_cached_kinds(found, details)
        found["kinds_in_stated"] = any(details.get(name) is not None for name in shapes.KIND_NAMES)
        return {name: value or 0 for name, value in found.items()}

    def take_output(self) -> Counts:
        """The counts of the completion's side, `reasoning` None if none is stated. Raises as `take_input`."""
        details = self._details(shapes.OUTPUT_DETAILS)
        found: Counts = {"completion": self._count(self.completion_name)}
        for part, names in shapes.OUTPUT_PARTS.items():
            stated: list[tuple[str, int | None]] = [
                (name, count(name, details[name])) for name in names if details.get(name) is not None
            ]
            if part == "reasoning" and self._stated(shapes.REASONING_BESIDE):
                stated.append((shapes.REASONING_BESIDE, self._count(shapes.REASONING_BESIDE)))
            found[part] = _one(stated)
        stated_kinds = any(details.get(name) is not None for name in shapes.KIND_NAMES)
        if self._images and not stated_kinds:  # what gpt-image-1 makes is an image
            found["image_out"], stated_kinds = found["completion"], True
        return {**found, "kinds_out_stated": stated_kinds}

    def agree(self, inputs: Counts, outputs: Counts) -> Counts:
        """Both sides together, with what only the total tells. Raises `Doubtful` if the total contradicts them."""
        completion, reasoning = outputs["completion"], outputs["reasoning"]
        result = {**inputs, **{name: value or 0 for name, value in outputs.items()}}
        hidden = (self.total or 0) - result["prompt"] - result["completion"]
        if self.total is None or hidden == 0:
            return result
        if reasoning and hidden == reasoning:  # xAI: reasoning beside the completion
            return result | {"completion": completion + reasoning}
        cache = {inputs["cached"], inputs["cache_write"], inputs["cached"] + inputs["cache_write"]}
        if reasoning is None and completion is not None and hidden > 0 and hidden not in cache:
            # Gemini's endpoint: thoughts in the total only
            return result | {"completion": completion + hidden, "reasoning": hidden}
        both = result["prompt"] + result["completion"]
        raise Doubtful(
            "contradiction",
            f"total_tokens is {self.total!r}, but {self.prompt_name} and {self.completion_name} add up to {both}; "
            "the counts contradict each other, so none of them can be trusted",
        )

    def _add_beside(self, found: Counts) -> None:
        """Anthropic's and LiteLLM's names for the cache, inside the prompt or on top of it."""
        read, written = self._count(shapes.READ_BESIDE), self._count(shapes.WRITTEN_BESIDE)
        if not read and not written:
            return
        inside = self._beside_is_inside(found, read or 0, written or 0, stated=found["cached"] is not None)
        found["cached"] = _one([("cached", found["cached"]), (shapes.READ_BESIDE, read)])
        found["cache_write"] = _one([("cache_write", found["cache_write"]), (shapes.WRITTEN_BESIDE, written)])
        if not inside:
            found["prompt"] += (read or 0) + (written or 0)

    def _beside_is_inside(self, found: Counts, read: int, written: int, *, stated: bool) -> bool:
        if stated:
            return True
        both = found["prompt"] + (self._count(self.completion_name) or 0)
        if self.total == both + read + written:
            return False
        if self.prompt_name == "input_tokens" and self.total is None:
            return False  # Anthropic's own answers have no total
        if read + written <= found["prompt"] and self.total in (None, both):
            return True
        raise Doubtful(
            "contradiction",
            f"{shapes.READ_BESIDE} {read} and {shapes.WRITTEN_BESIDE} {written} are neither clearly parts of the "
            f"{found['prompt']} {self.prompt_name} nor clearly beside them",
        )

    def _add_durations(self, found: Counts, details: Mapping[str, Any]) -> None:
        for name, durations in shapes.WRITE_DURATIONS:
            table = members(details.get(name)) or members(self._fields.get(name))
            if table is None:
                continue
            _refuse_unknown(table, frozenset(durations))
            parts = {key: count(key, table[key]) for key in durations if table.get(key) is not None}
            written = found["cache_write"] if found["cache_write"] is not None else sum(parts.values())
            if parts and sum(parts.values()) != written:
                raise Doubtful(
                    "contradiction", f"{name} adds up to {sum(parts.values())}, but {written} tokens were written"
                )
            found["cache_write"] = written
            found.update({part: parts[key] for key, part in durations.items() if part and key in parts})

    def _add_cached_kinds(self, found: Counts, details: Mapping[str, Any]) -> None:
        table = members(details.get(shapes.CACHED_KINDS))
        if table is not None:
            _refuse_unknown(table, shapes.KNOWN_IN_DETAILS)
            for kind in ("audio", "image"):
                value = table.get(f"{kind}_tokens")
                found[f"cached_{kind}"] = 0 if value is None else count(f"cached {kind}_tokens", value)
        elif found["cached"] and (found["audio_in"] or found["image_in"]):
            raise Doubtful(
                "overlap", "it has cached tokens and audio or image tokens, and does not say which of them were cached"
            )

    def _details(self, names: tuple[str, ...]) -> Mapping[str, Any]:
        for name in names:
            value = self._fields.get(name)
            if value is None or value == [] or value == {}:
                continue
            details = members(value)
            if details is None:
                raise Doubtful("bad_count", f"{name} is {brief(value)}; expected a table of counts")
            _refuse_unknown(details, shapes.KNOWN_IN_DETAILS)
            return details
        return {}

    def _stated(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def _count(self, name: str) -> int | None:
        value = self._fields.get(name)
        return None if value is None else count(name, value)


def _stated_in(details: Mapping[str, Any], names: Iterable[str]) -> list[tuple[str, int | None]]:
    return [(name, count(name, details[name])) for name in names if details.get(name) is not None]


def _one(stated: Iterable[tuple[str, int | None]]) -> int | None:
    """The value of several names for one thing, None if none is stated; they have to agree."""
    known = [(name, value) for name, value in stated if value is not None]
    if len({value for _, value in known}) > 1:
        told = " and ".join(f"{name} {value}" for name, value in known)
        raise Doubtful("contradiction", f"{told} are two names for one number, and differ")
    return known[0][1] if known else None


def _refuse_unknown(table: Mapping[str, Any], known: frozenset[str]) -> None:
    for name, value in table.items():
        if _is_tokens(name) and name not in known and _positive(value):
            raise Doubtful("unknown_tokens", f"{brief(name)} is {brief(value)}, a kind of tokens that is not known")


def _is_tokens(name: object) -> bool:
    return isinstance(name, str) and name.endswith("_tokens")


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and value != 0
