#!/usr/bin/env bash
# llama-index-llms-openai 0.8.3 with openai 2.54.0: max_retries=3 sends twelve requests.
#
# One would expect `max_retries=3` to mean what it means to the SDK below it: one request and up to three more. The
# number is given to the SDK, and used by a second loop around it as its count of attempts: 3 attempts of 1 + 3
# requests. A provider that is out of quota gets three times the traffic, and whoever counts calls of the SDK, or
# reads its retry header (which begins at 0 again), sees three calls where the program made one.
#
# Seen 2026-11-30: "max_retries=2: 6 requests", "max_retries=3: 12 requests", headers 0 1 2 3 0 1 2 3 0 1 2 3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openai==2.54.0 llama-index-llms-openai==0.8.3 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import json
import sys
import threading

import openai
from llama_index.llms.openai import OpenAI


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

    def log_message(self, *arguments):
        pass


def serve(answer):
    handler = type("Handler", (Upstream,), {"answer": answer})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


headers = []


def answer(self, body):
    headers.append(self.headers["x-stainless-retry-count"])
    self.send_response(429)
    self.send_header("retry-after-ms", "1")
    self.send_header("content-type", "application/json")
    self.end_headers()
    self.wfile.write(b'{"error": {"message": "slower", "type": "rate_limit", "param": null, "code": null}}')


address = serve(answer)
seen = {}
for retries in (2, 3):
    headers.clear()
    try:
        OpenAI(model="gpt-4o", api_base=address, api_key="made-up", max_retries=retries).complete("x")
    except openai.RateLimitError:
        seen[retries] = len(headers)
    print(f"max_retries={retries}: {len(headers)} requests, retry headers {' '.join(headers)}")
sys.exit(seen != {2: 6, 3: 12})
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
