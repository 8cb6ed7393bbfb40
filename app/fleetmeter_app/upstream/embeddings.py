"""The wire format of embeddings: reads texts or tokens, makes short vectors, as numbers or in base64.

Source: https://platform.openai.com/docs/api-reference/embeddings.
"""

import base64
import hashlib
import struct
from typing import Any

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.upstream.ledger import BilledUsage
from fleetmeter_app.upstream.wishes import AnswerWish

_DIMENSIONS = 8
_MOST_DIMENSIONS = 4096


def embedding_inputs(body: dict[str, Any]) -> list[str | list[int]]:
    """The inputs to embed: texts, or lists of tokens. Raises `InvalidRequestError` for anything else."""
    value = body.get("input")
    if isinstance(value, str) and value:
        return [value]
    if isinstance(value, list) and value:
        if all(_is_token(item) for item in value):
            return [value]
        if all(isinstance(item, str) and item for item in value):
            return value
        if all(isinstance(item, list) and item and all(map(_is_token, item)) for item in value):
            return value
    raise InvalidRequestError(
        "'input' must be a text, a list of texts, tokens or a list of lists of tokens.", param="input"
    )


def embedding_tokens(inputs: list[str | list[int]]) -> BilledUsage:
    """The tokens of the inputs: one for each word of a text, or the tokens that were sent."""
    return BilledUsage(prompt=sum(len(one.split()) if isinstance(one, str) else len(one) for one in inputs))


def embeddings_json(body: dict[str, Any], inputs: list[str | list[int]], wish: AnswerWish) -> dict[str, Any]:
    """The answer, as openai.types.CreateEmbeddingResponse reads it."""
    size = body.get("dimensions") or _DIMENSIONS
    if not _is_token(size) or not 1 <= size <= _MOST_DIMENSIONS:
        raise InvalidRequestError(
            f"'dimensions' must be a whole number from 1 to {_MOST_DIMENSIONS}.", param="dimensions"
        )
    in_base64 = body.get("encoding_format") == "base64"
    tokens = embedding_tokens(inputs).prompt
    return {
        "object": "list",
        "model": wish.texts.get("model", body["model"]),
        "data": [
            {"object": "embedding", "index": index, "embedding": _written(_vector(one, size), in_base64=in_base64)}
            for index, one in enumerate(inputs)
        ],
        "usage": None if wish.shape == "none" else {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vector(one: str | list[int], size: int) -> list[float]:
    digest = hashlib.sha256(repr(one).encode("utf-8", "surrogatepass")).digest()
    return [digest[at % len(digest)] / 256 for at in range(size)]


def _written(vector: list[float], *, in_base64: bool) -> str | list[float]:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if in_base64 else vector


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
