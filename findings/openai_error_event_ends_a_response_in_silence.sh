#!/usr/bin/env bash
# openai 3.57.0: the same event of trouble raises in a chat stream, and passes in silence in a stream of a response.
#
# Both streams are told of a failure by an event in their middle. One would expect both to raise. The chat stream raises
# APIError. The stream of a response hands on an object of type "error" like any other event, and then ends like a
# finished one: who reads the text deltas only takes half an answer for a whole one, and an error rate stays at 0.
#
# Seen 2026-11-30: "chat: APIError", "responses: ended, last event error".
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

CHAT = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"half"},"finish_reason":null}]}\n\n'
    b'data: {"error":{"message":"it failed","type":"server_error","param":null,"code":null}}\n\n'
)
RESPONSE = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":0,'
    b'"item_id":"1","output_index":0,"content_index":0,"delta":"half","logprobs":[]}\n\n'
    b'event: error\ndata: {"type":"error","sequence_number":1,"code":"server_error","message":"it failed","param":null}\n\n'
)


class Failing(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = CHAT if self.path.endswith("/chat/completions") else RESPONSE
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="made-up", timeout=10)
try:
    list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True))
    chat = "ended"
except openai.APIError as raised:
    chat = type(raised).__name__
try:
    events = [event.type for event in client.responses.create(model="m", input="x", stream=True)]
    responses = f"ended, last event {events[-1]}"
except openai.APIError as raised:
    responses = type(raised).__name__
print(f"openai {openai.__version__}")
print(f"chat: {chat}")
print(f"responses: {responses}")
sys.exit((chat, responses) != ("APIError", "ended, last event error"))
PYTHON
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
