#!/usr/bin/env bash
# langchain-openai 1.7.4 and pydantic-ai-slim 2.68.0: five chunks of one answer that costs 120 tokens count as 560.
#
# Compatible servers can state the usage so far on every chunk (vLLM calls it continuous usage statistics): 104, 108,
# 112, 116, 120. The last one is the bill, and one would expect a framework to keep it. Both add all of them up: the
# prompt of 100 tokens is counted five times, once for each chunk. The longer an answer, the larger the factor, so the
# error hides in short tests. Whoever meters with the framework's own figures, on `usage_metadata` or on a run's
# `usage`, overbills.
#
# Seen 2026-11-30: "billed 120", "langchain-openai 560", "pydantic-ai 560".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openai==3.57.0 langchain-openai==1.7.4 pydantic-ai-slim==2.68.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import asyncio
import functools
import http.server
import json
import sys
import threading

import openai
import pydantic_ai
from langchain_openai import ChatOpenAI
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


class Upstream(http.server.BaseHTTPRequestHandler):
    """Stands in for a provider on the loopback."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.close_connection = True
        self.answer(body)

    def head(self, status, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")

    def log_message(self, *arguments):
        pass


def chunk(text="", tokens=None, finish=None, choices=True):
    """One piece of a chat stream; tokens are the completion's, beside a prompt of 100."""
    delta = {"role": "assistant", "content": text} if text else {}
    piece = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    piece["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}] if choices else []
    if tokens is not None:
        piece["usage"] = usage(tokens)
    return piece


def usage(tokens):
    return {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}


def serve(answer):
    handler = type("Handler", (Upstream,), {"answer": answer})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


QUESTION = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


def answer(self, body):
    self.head(200, "text/event-stream")
    for tokens in (4, 8, 12, 16):
        self.event(chunk("word ", tokens))
    self.event(chunk(finish="stop", tokens=20))
    self.wfile.write(b"data: [DONE]\n\n")


async def run(model):
    async with pydantic_ai.Agent(model).run_stream("x") as result:
        await result.get_output()
        return result.usage.input_tokens + result.usage.output_tokens


address = serve(answer)
chunks = list(openai.OpenAI(base_url=address, api_key="made-up").chat.completions.create(**QUESTION, stream=True))
billed = chunks[-1].usage.total_tokens
pieces = list(ChatOpenAI(model="m", base_url=address, api_key="made-up", stream_usage=True).stream("x"))
langchain = functools.reduce(lambda left, right: left + right, pieces).usage_metadata["total_tokens"]
provider = OpenAIProvider(base_url=address, api_key="made-up")
pydantic = asyncio.run(run(OpenAIChatModel("m", provider=provider)))
print(f"billed {billed}", f"langchain-openai {langchain}", f"pydantic-ai {pydantic}", sep="\n")
sys.exit((billed, langchain, pydantic) != (120, 560, 560))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
