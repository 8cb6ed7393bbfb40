#!/usr/bin/env bash
# openai 3.57.0: the same cut answer carries its usage when it is parsed whole, and none when it is streamed.
#
# An answer with a response format reaches its length limit. `parse()` raises LengthFinishReasonError, and the error
# holds the completion with its 120 tokens. One would expect the stream helper, asked for usage by `include_usage`, to
# give the same. It raises at the chunk with the finish reason, one chunk before the one with the usage:
# `error.completion.usage` is None and the chunk is never read. The longest and dearest answers are the ones that an
# accounting misses. The error is no APIError either, so `except APIError` does not see it.
#
# Seen 2026-11-30: "parse: LengthFinishReasonError, 120 tokens, APIError False", "stream: LengthFinishReasonError,
# None".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import json
import sys
import threading

import openai
import pydantic


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

    def send_json(self, value, status=200, kind="application/json"):
        self.head(status, kind)
        self.wfile.write(json.dumps(value).encode())

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


def whole(text="hi", finish="stop"):
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return answer | {"usage": usage(20)}


def serve(answer):
    handler = type("Handler", (Upstream,), {"answer": answer})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


QUESTION = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


class Answer(pydantic.BaseModel):
    text: str


HALF = '{"text": "'


def answer(self, body):
    if not body.get("stream"):
        self.send_json(whole(HALF, "length"))
        return
    assert body["stream_options"] == {"include_usage": True}
    self.head(200, "text/event-stream")
    for piece in (chunk(HALF), chunk(finish="length"), chunk(tokens=20, choices=False)):
        self.event(piece)


client = openai.OpenAI(base_url=serve(answer), api_key="made-up", timeout=10, max_retries=0)
parsed = streamed = None
try:
    client.chat.completions.parse(**QUESTION, response_format=Answer)
except openai.LengthFinishReasonError as raised:
    parsed = raised
try:
    with client.chat.completions.stream(
        **QUESTION, response_format=Answer, stream_options={"include_usage": True}
    ) as events:
        for _ in events:
            pass
except openai.LengthFinishReasonError as raised:
    streamed = raised
whole_usage = parsed.completion.usage.total_tokens
is_api_error = isinstance(parsed, openai.APIError)
print(f"openai {openai.__version__}")
print(f"parse: {type(parsed).__name__}, {whole_usage} tokens, APIError {is_api_error}")
print(f"stream: {type(streamed).__name__}, {streamed.completion.usage}")
sys.exit((whole_usage, is_api_error, streamed.completion.usage) != (120, False, None))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
