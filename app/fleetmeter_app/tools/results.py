"""What a tool returns, as the bounded JSON text that a model reads."""

import json
from dataclasses import asdict, is_dataclass
from datetime import date
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from fleetmeter_app.errors import ToolError


def written(value: object, most_bytes: int) -> str:
    """A value as JSON. Raises `ToolError` for one that JSON cannot hold, or that takes more than so many bytes."""
    size = 0
    parts: list[str] = []
    try:
        for part in _ENCODER.iterencode(value):  # piece by piece: what is too large is not written to its end
            piece = part.encode("utf-8", "replace")  # half a surrogate pair is no text
            size += len(piece)
            if size > most_bytes:
                raise ToolError(f"the result is longer than {most_bytes} bytes. Ask for less of it.")
            parts.append(piece.decode())
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError("the result is nothing that JSON can hold. Do without this tool.") from error
    return "".join(parts)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON can hold")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
