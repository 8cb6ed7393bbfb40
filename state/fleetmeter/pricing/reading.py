"""Turns a usage, as any server states it, into the counts of a `Usage`; or says why they are in doubt."""

from collections.abc import Collection, Mapping
from typing import Any

from fleetmeter.pricing import shapes
from fleetmeter.pricing.counts import brief, count, members

Counts = dict[str, Any]


class Doubtful(ValueError):
    """The counts are in doubt; `kind` is one of those of `Doubt`."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"usage: {reason.removeprefix('usage: ')}")
        self.kind = kind


class Reading:
    """The parts of one usage. `take_input` and `take_output` return the counts of a side; `agree` joins them."""

    def __init__(self, fields: Mapping[str, Any], endpoint: str | None) -> None:
        """Raises `Doubtful` if the usage states no prompt, or different ones."""
        if fields.get("type") == "duration":
            raise Doubtful("duration", "the answer is billed by its duration in seconds and states no tokens")
        self._fields = fields
        self._images = endpoint == "images"
        self.prompt_name, self.completion_name = self._pair()
        self.total = self._count(shapes.TOTAL) or None  # servers that do not count the total say 0
        _refuse_unknown(fields, shapes.KNOWN_BESIDE)

    def _pair(self) -> tuple[str, str]:
        fields = self._fields
        stated = [pair for pair in shapes.PAIRS if fields.get(pair[0]) is not None]
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

    def take_input(self) -> Counts:
        """The counts of the prompt's side. Raises `ValueError` if they are in doubt."""
        details = self._details(shapes.INPUT_DETAILS)
        found: Counts = {"prompt": self._count(self.prompt_name) or 0}
        _take_parts(found, details, shapes.INPUT_PARTS)
        for name in shapes.CACHED_INSIDE:
            if name in self._fields:
                _agree(found, "cached", name, self._count(name))
        self._add_beside(found)
        self._add_durations(found, details)
        self._add_cached_kinds(found, details)
        found["kinds_in_stated"] = _states_kinds(details)
        return found

    def take_output(self) -> Counts:
        """The counts of the completion's side; a count that is not stated is left out. Raises as `take_input` does."""
        details = self._details(shapes.OUTPUT_DETAILS)
        found: Counts = {}
        completion = self._count(self.completion_name)
        if completion is not None:
            found["completion"] = completion
        _take_parts(found, details, shapes.OUTPUT_PARTS)
        _agree(found, "reasoning", shapes.REASONING_BESIDE, self._count(shapes.REASONING_BESIDE))
        found["kinds_out_stated"] = _states_kinds(details)
        if self._images and not found["kinds_out_stated"]:  # gpt-image-1 makes nothing but images
            found |= {"image_out": completion or 0, "kinds_out_stated": True}
        return found

    def agree(self, inputs: Counts, outputs: Counts) -> Counts:
        """Both sides together, with tokens that only the total includes. Raises `Doubtful` if the total contradicts.

        Example: 100 prompt, 20 completion, total 150. If no side states reasoning, 30 tokens are reasoning.
        """
        result = {**inputs, **outputs}
        prompt, completion, reasoning = inputs["prompt"], outputs.get("completion"), outputs.get("reasoning")
        both = prompt + (completion or 0)
        hidden = both if self.total is None else self.total - both
        if self.total is None or hidden == 0:
            return result
        if reasoning and hidden == reasoning:  # xAI states reasoning beside the completion, not as a part of it
            return result | {"completion": (completion or 0) + reasoning}
        cached, written = inputs.get("cached", 0), inputs.get("cache_write", 0)
        if (
            reasoning is None
            and completion is not None
            and hidden > 0
            and hidden not in (cached, written, cached + written)
        ):
            # Gemini's endpoint counts its thoughts in the total only
            return result | {"completion": completion + hidden, "reasoning": hidden}
        raise Doubtful(
            "contradiction",
            f"total_tokens is {self.total!r}, but {self.prompt_name} and {self.completion_name} add up to {both}; "
            "the counts contradict each other, so none of them can be trusted",
        )

    def _add_beside(self, found: Counts) -> None:
        """Add cache tokens under the names of Anthropic (on top of the prompt) and LiteLLM (a part of the prompt)."""
        read, written = self._count(shapes.READ_BESIDE), self._count(shapes.WRITTEN_BESIDE)
        if not read and not written:
            return
        inside = "cached" in found or self._beside_is_inside(found["prompt"], read or 0, written or 0)
        _agree(found, "cached", shapes.READ_BESIDE, read)
        _agree(found, "cache_write", shapes.WRITTEN_BESIDE, written)
        if not inside:
            found["prompt"] += (read or 0) + (written or 0)

    def _beside_is_inside(self, prompt: int, read: int, written: int) -> bool:
        both = prompt + (self._count(self.completion_name) or 0)
        if self.total == both + read + written:
            return False
        if self.prompt_name == "input_tokens" and self.total is None:
            return False  # Anthropic's own answers have no total
        if read + written <= prompt and self.total in (None, both):
            return True
        raise Doubtful(
            "contradiction",
            f"{shapes.READ_BESIDE} {read} and {shapes.WRITTEN_BESIDE} {written} are neither clearly parts of the "
            f"{prompt} {self.prompt_name} nor clearly beside them",
        )

    def _add_durations(self, found: Counts, details: Mapping[str, Any]) -> None:
        for name, durations in shapes.WRITE_DURATIONS:
            if name not in details and name not in self._fields:
                continue
            table = members(details.get(name)) or members(self._fields.get(name))
            if table is None:
                continue
            _refuse_unknown(table, durations)
            parts = {key: count(key, table[key]) for key in durations if table.get(key) is not None}
            written = found.setdefault("cache_write", sum(parts.values()))
            if parts and sum(parts.values()) != written:
                raise Doubtful(
                    "contradiction", f"{name} adds up to {sum(parts.values())}, but {written} tokens were written"
                )
            found.update({part: parts[key] for key, part in durations.items() if part and key in parts})

    def _add_cached_kinds(self, found: Counts, details: Mapping[str, Any]) -> None:
        table = members(details.get(shapes.CACHED_KINDS))
        if table is not None:
            _refuse_unknown(table, shapes.CACHED_KIND_NAMES)
            for name, part in shapes.CACHED_KIND_NAMES.items():
                if part is not None and table.get(name) is not None:
                    found[part] = count(f"cached {name}", table[name])
        elif found.get("cached") and (found.get("audio_in") or found.get("image_in")):
            raise Doubtful(
                "overlap", "it has cached tokens and audio or image tokens, and does not say which of these were cached"
            )

    def _details(self, names: tuple[str, ...]) -> Mapping[str, Any]:
        for name in names:
            value = self._fields.get(name)
            if value is None or value == []:
                continue
            details = members(value)
            if details is None:
                raise Doubtful("bad_count", f"{name} is {brief(value)}; expected a table of counts")
            return details
        return {}

    def _count(self, name: str) -> int | None:
        value = self._fields.get(name)
        return None if value is None else count(name, value)


def _take_parts(found: Counts, details: Mapping[str, Any], parts: Mapping[str, str]) -> None:
    """Add the parts of a side that its details state."""
    for name, value in details.items():
        part = parts.get(name)
        if part is None:
            if value and name not in shapes.NO_PARTS:
                _refuse(name, value)
        elif value is not None and (type(value) is int or members(value) is None):
            _agree(found, part, name, count(name, value))


def _agree(found: Counts, part: str, name: str, value: int | None) -> None:
    """Set a part. If another name has set it already, the two must be equal; `Doubtful` is raised if they differ."""
    if value is not None and found.setdefault(part, value) != value:
        raise Doubtful("contradiction", f"{name} is {value}, and another name for the same number says {found[part]}")


def _states_kinds(details: Mapping[str, Any]) -> bool:
    for name in shapes.KIND_NAMES:  # noqa: SIM110  a generator takes as long as all the rest
        if details.get(name) is not None:
            return True
    return False


def _refuse_unknown(table: Mapping[str, Any], known: Collection[str]) -> None:
    for name, value in table.items():
        if value and type(value) is not dict and name not in known:
            _refuse(name, value)


def _refuse(name: object, value: object) -> None:
    """Raise `Doubtful` if a name states tokens of an unknown kind."""
    if isinstance(value, (int, float)) and isinstance(name, str) and name.endswith("_tokens"):
        raise Doubtful("unknown_tokens", f"{brief(name)} is {brief(value)}, a kind of tokens that is not known")
