"""How many objects a replica holds: it tells them itself, as its configuration names a function of this module."""

import asyncio
import gc
import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import aiohttp

from soak.fleet import Fleet
from soak.load import Load, session

CLASSIFIER = "soak.objects:intent_of"
COUNT = "How many objects are there?"
FILE = "SOAK_OBJECTS"
"""The variable that names where a replica writes the number."""

_SETTLED = 0.5
"""Seconds until connections that were left are closed."""


def intent_of(question: str) -> str:
    """A classifier of the gateway, which runs in its process: it counts the objects there when it is asked to."""
    if question == COUNT:
        gc.collect()
        Path(os.environ[FILE]).write_text(str(len(gc.get_objects())), encoding="utf-8")
    return "general"


async def left_behind(fleet: Fleet, parts: int, rounds: int) -> int:
    """How many objects more a replica holds after each part, of so many rounds of 20 requests, at least.

    What requests leave behind is there after each part. A series that is new, or a connection that is just closed, is
    not.
    """
    load, counts = Load(fleet.addresses), []
    async with session() as client:
        for _ in range(parts + 1):
            for _ in range(rounds):
                await _round(client, load, fleet.addresses[0])
            counts.append(await _objects(client, fleet))
    return min(after - before for before, after in pairwise(counts))


async def _round(client: aiohttp.ClientSession, load: Load, address: str) -> None:
    """Chats, streams and embeddings, some with errors; streams that are left; what is refused, or nowhere."""
    await load.closed(client, 4, requests=12)
    chat = f"{address}/v1/chat/completions"
    for number in range(2):
        question = _asking(f"leave {id(load)} {load.tally.sent} {number}")
        async with client.post(chat, json={**question, "stream": True}) as answer:
            await answer.content.readany()
            answer.close()
    async with client.post(f"{address}/ask", json={"question": f"What is {load.tally.sent}?"}) as answer:
        await answer.read()
    for path, body in (("chat/completions", b"{"), ("embeddings", b"[]"), ("nowhere", b"{}"), ("responses", b'{"a"}')):
        async with client.post(f"{address}/v1/{path}", data=body, headers=_JSON) as answer:
            await answer.read()
    async with session() as another, another.get(f"{address}/health") as answer:
        await answer.read()


async def _objects(client: aiohttp.ClientSession, fleet: Fleet) -> int:
    await asyncio.sleep(_SETTLED)
    async with client.post(f"{fleet.addresses[0]}/v1/chat/completions", json=_asking(COUNT)) as answer:
        await answer.read()
    return int(await asyncio.to_thread(Path(fleet.environ[FILE]).read_text))


def _asking(text: str) -> Mapping[str, object]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}]}


_JSON = {"content-type": "application/json"}
