"""A rate as people write it: `60/minute`, `10/second; 5000/day`."""

import re
from dataclasses import dataclass

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"([1-9][0-9]{0,8})\s*(?:/|\s+per\s+)\s*(second|minute|hour|day)s?")
EXPECTED = "expected rates such as 60/minute or '10/second; 5000/day'"


@dataclass(frozen=True)
class Rate:
    """At most `limit` requests within any `seconds`."""

    limit: int
    seconds: int

    def __str__(self) -> str:
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.limit}/{unit}"


def parse_rates(text: str) -> tuple[Rate, ...]:
    """The rates of a text, separated by semicolons; none for an empty one. Raises `ValueError`."""
    parts = [part.strip().lower() for part in text.split(";")] if text.strip() else []
    found = []
    for part in parts:
        match = _RATE.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no rate; {EXPECTED}")
        found.append(Rate(int(match[1]), _SECONDS[match[2]]))
    return tuple(found)
