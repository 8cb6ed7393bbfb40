"""Every kind of call by the SDK that is installed here, against a gateway.

Usage: `matrix_gateway.py BASE_URL`, or, for a stream that breaks, `matrix_gateway.py BASE_URL broken`.

Prints what came of each as JSON.
"""

import asyncio
import json
import sys
from typing import Any

import openai
from pydantic import BaseModel

BILL = "[[usage:prompt=100,completion=20]]"


class Quote(BaseModel):
    """A structured output."""

    symbol: str


def said(text: str) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


TOOL: Any = {
    "type": "function",
    "function": {
        "name": "quote",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"symbol": {"type": "string"}},
            "required": ["symbol"],
            "additionalProperties": False,
        },
    },
}


def synchronous(client: openai.OpenAI) -> dict[str, Any]:
    """What comes of each call."""
    found: dict[str, Any] = {}
    ask = client.chat.completions.create
    answer = ask(model="auto", messages=said(f"sync {BILL}"))
    found["chat"] = answer.usage.total_tokens if answer.usage else None
    chunks = list(ask(model="cheap", messages=said("sync stream"), stream=True))
    found["stream"] = [chunk.usage is None for chunk in chunks].count(False)
    options: Any = {"include_usage": True}
    chunks = list(ask(model="cheap", messages=said(f"sync usage {BILL}"), stream=True, stream_options=options))
    found["stream usage"] = [chunk.usage.total_tokens for chunk in chunks if chunk.usage is not None]
    tools = ask(model="cheap", messages=said("sync tools"), tools=[TOOL], tool_choice="required")
    found["tools"] = tools.choices[0].finish_reason
    parsed = client.chat.completions.parse(model="cheap", messages=said("sync parse"), response_format=Quote)
    found["parse"] = type(parsed.choices[0].message.parsed).__name__
    found["response"] = client.responses.create(model="cheap", input="sync").status
    found["response stream"] = list(client.responses.create(model="cheap", input="sync s", stream=True))[-1].type
    vectors = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    found["embeddings"] = len(vectors.data)
    found["models"] = "auto" in [model.id for model in client.models.list()]
    found["failure"] = failure(lambda: ask(model="cheap", messages=said("[[fault:500]]")))
    found["unknown"] = failure(lambda: ask(model="nope", messages=said("x")))
    return found


def failure(call: Any) -> str:
    """The class that a call ends in."""
    try:
        call()
    except openai.OpenAIError as error:
        return type(error).__name__
    return "nothing"


async def asynchronous(client: openai.AsyncOpenAI) -> dict[str, Any]:
    """A few of them again."""
    answer = await client.chat.completions.create(model="cheap", messages=said(f"async {BILL}"))
    stream = await client.chat.completions.create(model="cheap", messages=said("async stream"), stream=True)
    finished = [chunk.choices[0].finish_reason async for chunk in stream if chunk.choices][-1]
    return {"async chat": answer.usage.total_tokens if answer.usage else None, "async stream": finished}


async def all_of_them(base_url: str) -> dict[str, Any]:
    """Both."""
    async with openai.AsyncOpenAI(api_key="k", base_url=base_url) as client:
        return await asynchronous(client)


def broken(client: openai.OpenAI) -> dict[str, Any]:
    """What comes of a stream that breaks off: its cost is an estimate, so it stands apart."""
    stream = client.chat.completions.create(model="cheap", messages=said("[[answer:chunks=4,cut=3]]"), stream=True)
    return {"broken": failure(lambda: list(stream))}


if __name__ == "__main__":
    with openai.OpenAI(api_key="k", base_url=sys.argv[1]) as made:
        results = broken(made) if "broken" in sys.argv[2:] else synchronous(made)
    if "broken" not in sys.argv[2:]:
        results |= asyncio.run(all_of_them(sys.argv[1]))
    print(json.dumps(results))
