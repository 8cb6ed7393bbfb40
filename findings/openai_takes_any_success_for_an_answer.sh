#!/usr/bin/env bash
# openai 3.57.0: whatever comes with status 200 is returned as the answer, of another type or with nothing in it.
#
# Proxies answer 200 with a sign-in page, and some compatible servers 200 with an error object. One would expect
# APIResponseValidationError, or APIError. `create()` returns a plain `str` for the page, and for the error object a
# ChatCompletion whose every field is None, `choices` and `model` too: the types say that cannot be. Metrics code that
# trusts the annotations raises inside the caller's request, and an error rate that counts exceptions stays at 0.
#
# Seen 2026-11-30: "page: str", "error object: ChatCompletion, model None, choices None".
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


def serve(answer):
    handler = type("Handler", (Upstream,), {"answer": answer})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


QUESTION = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


def page(self, body):
    self.send_json("sign in, please", kind="text/html")


def trouble(self, body):
    self.send_json({"error": {"message": "quota", "type": "quota", "code": "quota", "param": None}})


def ask(answer):
    client = openai.OpenAI(base_url=serve(answer), api_key="made-up", timeout=10, max_retries=0)
    return client.chat.completions.create(**QUESTION)


first, second = ask(page), ask(trouble)
seen = (
    f"page: {type(first).__name__}",
    f"error object: {type(second).__name__}, model {second.model}, choices {second.choices}",
)
print(f"openai {openai.__version__}", *seen, sep="\n")
sys.exit(seen != ("page: str", "error object: ChatCompletion, model None, choices None"))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
