"""Images, audio, moderations, files, batches: simple endpoints that only exist so that calls can be counted.

Source: https://platform.openai.com/docs/api-reference. They bill nothing.
"""

import re
import time
import uuid
from typing import Any

from fleetmeter_app.upstream.wishes import AnswerWish

FORM_MODEL = re.compile(rb'name="model"\r\n\r\n(.*?)\r\n')
"""The field of a multipart form that names the model."""

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_SECONDS = 7


def image_json(_model: str, _wish: AnswerWish) -> dict[str, Any]:
    """An image of one pixel, with the usage of gpt-image models."""
    details = {"text_tokens": 10, "image_tokens": 40}
    return {
        "created": int(time.time()),
        "data": [{"b64_json": _PIXEL}],
        "usage": {
            "input_tokens": 50,
            "input_tokens_details": details,
            "output_tokens": 1_000,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": 1_000},
            "total_tokens": 1_050,
        },
    }


def transcription_json(_model: str, wish: AnswerWish) -> dict[str, Any]:
    """A text, with a usage in tokens, or in seconds for the wish `shape=duration`."""
    usage: dict[str, Any] = {
        "type": "tokens",
        "input_tokens": 30,
        "input_token_details": {"text_tokens": 10, "audio_tokens": 20},
        "output_tokens": 5,
        "total_tokens": 35,
    }
    if wish.shape == "duration":
        usage = {"type": "duration", "seconds": _SECONDS}
    return {"text": "sample", "usage": usage}


def moderation_json(model: str, _wish: AnswerWish) -> dict[str, Any]:
    """A verdict without a usage."""
    result = {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}
    return {"id": f"modr-{uuid.uuid4().hex}", "model": model, "results": [result]}


def batch_json(identity: str) -> dict[str, Any]:
    """A finished batch. It states its usage each time it is retrieved."""
    return {
        "id": identity,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "created_at": int(time.time()),
        "input_file_id": "file-1",
        "status": "completed",
        "model": "gpt-6-luna",
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 110,
        },
    }


def files_json() -> dict[str, Any]:
    """An empty list of files."""
    return {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None}
