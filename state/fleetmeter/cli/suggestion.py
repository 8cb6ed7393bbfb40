"""A parser that refuses unknown words with a hint: which flag was probably meant."""

import argparse
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class Suggesting(argparse.ArgumentParser):
    """Refuses words that it does not know, and names the flag that is most like each of them.

    A subcommand refuses its own unknown words, so the usage above the reason is the subcommand's. argparse alone
    would show the usage of the whole program, which names none of the flags that could have been meant.
    """

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse's, but an unknown word ends the program by `error`. So the list is always empty."""
        found, unknown = super().parse_known_args(None if args is None else list(args), namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._hint(unknown)}")
        return found, unknown

    def _hint(self, unknown: Iterable[str]) -> str:
        flags = [flag for action in self._actions for flag in action.option_strings]
        names = [word.partition("=")[0] for word in unknown if word.startswith("--")]
        likely = [match for name in names for match in get_close_matches(name, flags, 1)]
        return f" (did you mean {', '.join(likely)}?)" if likely else ""
