#!/usr/bin/env bash
# openai 3.57.0: `break` out of a stream and forgetting it does not end it; the provider goes on, and goes on billing.
#
# A function takes the first chunk, breaks and returns. One would expect CPython to free the stream at that moment,
# because nothing refers to it any more, and to close the connection as it does for a file. The stream and its
# generator refer to each other, so reference counting never frees them: the provider writes on until the garbage
# collector happens to run, which in a quiet process may be never. Completion tokens, open connections and in-flight
# gauges all run on unseen.
#
# Seen 2026-11-30: "client gone after break and return: False", "client gone after gc.collect(): True".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import gc
import http.server
import json
import sys
import threading
import time

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


gone = threading.Event()


def answer(self, body):
    self.head(200, "text/event-stream")
    try:
        for _ in range(400):
            self.event(chunk("w" * 5000))
            time.sleep(0.05)
    except OSError:
        gone.set()


def first_word(client):
    for piece in client.chat.completions.create(**QUESTION, stream=True):
        return piece.choices[0].delta.content


client = openai.OpenAI(base_url=serve(answer), api_key="made-up", timeout=10, max_retries=0)
gc.disable()
first_word(client)
dropped = gone.wait(2)
gc.collect()
collected = gone.wait(10)
print(f"openai {openai.__version__}")
print(f"client gone after break and return: {dropped}")
print(f"client gone after gc.collect(): {collected}")
sys.exit((dropped, collected) != (False, True))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
