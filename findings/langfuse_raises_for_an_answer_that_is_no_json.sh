#!/usr/bin/env bash
# langfuse 5.0.4 beside openai 3.57.0: an answer that the SDK hands over becomes an exception of the observer.
#
# A proxy on the way may answer 200 with a page of its own. The SDK then returns that text as it is, and a caller who
# looks at its type goes on. One would expect a wrapper that only watches to change nothing. langfuse's asks the text
# for its attributes and lets its own AttributeError out of `create()`, so the same line of code now raises.
#
# Seen 2026-11-30: "openai alone: str", "with langfuse: AttributeError".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check langfuse==5.0.4 openai==3.57.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import os
import sys
import threading

PAGE = b"<html><body>Please log in.</body></html>"


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {
    "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "LANGFUSE_HOST": "http://127.0.0.1:9",
    "LANGFUSE_TRACING_ENABLED": "false",
}


def answer(openai):
    """What a caller gets: the type of the answer, or of what was raised."""
    client = openai.OpenAI(api_key="x", base_url=f"http://127.0.0.1:{server.server_port}/v1", max_retries=0)
    try:
        given = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    except Exception as error:
        given = error
    return type(given).__name__


import openai

alone = answer(openai)
import langfuse.openai

beside = answer(langfuse.openai)
print("langfuse 5.0.4, openai", openai.__version__)
print("openai alone:", alone)
print("with langfuse:", beside)
sys.stdout.flush()
os._exit((alone, beside) != ("str", "AttributeError"))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
