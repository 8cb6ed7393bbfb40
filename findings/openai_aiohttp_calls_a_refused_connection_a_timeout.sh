#!/usr/bin/env bash
# openai 3.57.0 with aiohttp 3.14.5: nobody listens, and the error is a timeout, at once.
#
# The SDK offers two transports. One would expect the same failure to raise the same class with both. A refused
# connection and one that is dropped before the answer raise APIConnectionError by default; with DefaultAioHttpClient
# both raise APITimeoutError, within milliseconds of a call whose time limit is 30 s. Whoever counts errors by class
# sees an outage as slowness, and the answer to it, a longer time limit, as no help.
#
# Seen 2026-11-30: "default: refused APIConnectionError, dropped APIConnectionError", "aiohttp: refused
# APITimeoutError, dropped APITimeoutError".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'openai[aiohttp]==3.57.0' aiohttp==3.14.5 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import asyncio
import socket
import sys

import openai


async def drop(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def failure(port, transport):
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key="made-up", timeout=30, max_retries=0, http_client=transport
    ) as client:
        try:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        except openai.OpenAIError as raised:
            return type(raised).__name__


async def main():
    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    dropping = server.sockets[0].getsockname()[1]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        refusing = taken.getsockname()[1]
        seen = []
        for name, transport in (("default", lambda: None), ("aiohttp", openai.DefaultAioHttpClient)):
            refused = await failure(refusing, transport())
            dropped = await failure(dropping, transport())
            seen.append(f"{name}: refused {refused}, dropped {dropped}")
    server.close()
    return seen


seen = asyncio.run(main())
print(f"openai {openai.__version__}", *seen, sep="\n")
sys.exit(
    seen
    != [
        "default: refused APIConnectionError, dropped APIConnectionError",
        "aiohttp: refused APITimeoutError, dropped APITimeoutError",
    ]
)
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
