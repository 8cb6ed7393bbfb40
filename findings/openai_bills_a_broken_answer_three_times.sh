#!/usr/bin/env bash
# openai 3.57.0: one call, three answers that the provider has worked for, and no usage.
#
# A server answers 200 with a promised Content-Length and closes half-way through the body. One would expect the SDK to
# raise, because the status was a success and the request had been carried out. It sends the request again instead, as
# often as max_retries allows (2 by default), and then raises APIConnectionError. Nothing in the call says that three
# answers were begun: an accounting that takes calls, or raised errors, for requests misses two thirds of them.
# A stream that breaks off after its first chunk is never sent again.
#
# Seen 2026-11-30: "requests for a cut body: 3, error APIConnectionError", "requests for a cut stream: 1".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openai==3.57.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import sys
import threading

import openai

asked = {"body": 0, "stream": 0}


class Half(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"]))
        self.close_connection = True
        self.send_response(200)
        if b'"stream":true' in text.replace(b" ", b""):
            asked["stream"] += 1
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n')
        else:
            asked["body"] += 1
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id": "1", "object": "chat.completion", ')

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Half)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="made-up", timeout=10)
question = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
error = None
try:
    client.chat.completions.create(**question)
except openai.OpenAIError as raised:
    error = type(raised).__name__
try:
    list(client.chat.completions.create(**question, stream=True))
except openai.OpenAIError:
    pass
print(f"openai {openai.__version__}")
print(f"requests for a cut body: {asked['body']}, error {error}")
print(f"requests for a cut stream: {asked['stream']}")
sys.exit((asked["body"], error, asked["stream"]) != (3, "APIConnectionError", 1))
PYTHON
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
