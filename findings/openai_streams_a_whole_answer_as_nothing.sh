#!/usr/bin/env bash
# openai 3.57.0: a provider that ignores `stream` is paid, and the caller gets an empty stream.
#
# Some compatible servers and proxies do not know `stream=True`, or fall back to a cached answer: they send one
# complete JSON answer with its usage. One would expect the SDK to notice that application/json is no event stream,
# and to raise or to hand on the one answer. It reads the lines as a stream, finds no line that begins with "data:",
# and ends: no chunk, no usage, no error. The call looks like a success of zero tokens, although 120 were billed.
#
# Seen 2026-11-30: "tokens in the answer: 120", "chunks: 0, error None".
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

    def log_message(self, *arguments):
        pass


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


def answer(self, body):
    self.send_json(whole())


client = openai.OpenAI(base_url=serve(answer), api_key="made-up", timeout=10, max_retries=0)
total = client.chat.completions.create(**QUESTION).usage.total_tokens
chunks, error = [], None
try:
    chunks = list(client.chat.completions.create(**QUESTION, stream=True))
except openai.OpenAIError as raised:
    error = type(raised).__name__
print(f"openai {openai.__version__}")
print(f"tokens in the answer: {total}")
print(f"chunks: {len(chunks)}, error {error}")
sys.exit((total, len(chunks), error) != (120, 0, None))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
