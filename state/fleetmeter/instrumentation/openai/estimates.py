"""An estimate of a stream's tokens, from what was asked and what was delivered; only if somebody wants one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fleetmeter.errors import InstallError
from fleetmeter.pricing import Usage

Tokenizer = Callable[[str, str], int]


_ENCODINGS = ("o200k_base", "cl100k_base")
"""Those of OpenAI's chat models, the present one first: it stands for every model of another or an unknown one."""


def tokenizer_of(estimate: bool | Tokenizer) -> Tokenizer | None:
    """The function that counts tokens; None if nothing is to be estimated.

    Raises `InstallError` without tiktoken, or if it cannot have its tables. It downloads them when they are first asked
    for, so they are asked for here: no call has to wait for that.
    """
    if callable(estimate):
        return estimate
    if not estimate:
        return None
    try:
        import tiktoken
    except ImportError as error:
        raise InstallError(
            "instrument_openai(estimate=True) needs tiktoken; install it with: pip install tiktoken, "
            "or pass a function of a model and a text that returns the number of tokens"
        ) from error

    try:
        known = {name: tiktoken.get_encoding(name) for name in _ENCODINGS}
    except Exception as error:
        raise InstallError(
            "instrument_openai(estimate=True): tiktoken cannot have its tables, which it downloads once "
            f"({type(error).__name__}); let it, keep them in the folder that TIKTOKEN_CACHE_DIR names, "
            "or pass a function of a model and a text that returns the number of tokens"
        ) from error

    def count(model: str, text: str) -> int:
        try:
            name = tiktoken.encoding_name_for_model(model)
        except KeyError:
            name = _ENCODINGS[0]
        return len(known.get(name, known[_ENCODINGS[0]]).encode(text, disallowed_special=()))

    return count


def estimated(tokenizer: Tokenizer, model: str, body: Any, delivered: Iterable[str]) -> Usage:
    """The tokens of the request's texts, and of the text that was delivered. Hidden reasoning is in neither."""
    prompt = "\n".join(_texts(body))
    return Usage(prompt=tokenizer(model, prompt), completion=tokenizer(model, "".join(delivered)))


def _texts(body: Any, depth: int = 0) -> Iterator[str]:
    """The texts of a request's messages or input, whatever they are nested in."""
    if depth > 8:
        return
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for name in ("messages", "input", "instructions", "prompt", "content", "text", "output"):
            if name in body:
                yield from _texts(body[name], depth + 1)
    elif isinstance(body, list | tuple):
        for one in body:
            yield from _texts(one, depth + 1)
