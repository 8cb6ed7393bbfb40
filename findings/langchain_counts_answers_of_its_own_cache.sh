#!/usr/bin/env bash
# langchain-core 1.8.3: an answer from its own cache costs nothing, and its tokens are counted all the same.
#
# With a cache set, a question that was asked before is answered without a call. `get_usage_metadata_callback()` adds up
# the usage of a block, for budgets and bills by team. One would expect a hit to add nothing: no tokens were used, and
# LangChain knows it, because it writes `total_cost: 0` into the hit's usage. It leaves the tokens beside it as they
# were, so each hit counts as the call that it has saved: three questions and one call are 360 tokens instead of 120.
# The better the cache, the larger the bill. The 0 stays in the sum, too: it then says that 360 tokens cost nothing.
#
# Seen 2026-11-30: "questions 3, calls 1, billed 120", "counted 360, total_cost 0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    openai==3.57.0 langchain-core==1.8.3 langchain-openai==1.7.4 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import json
import sys
import threading
from importlib.metadata import version

from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_openai import ChatOpenAI

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
}
billed = []


class Upstream(http.server.BaseHTTPRequestHandler):
    """Stands in for a provider on the loopback."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        billed.append(ANSWER["usage"]["total_tokens"])
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(ANSWER).encode())

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=server.serve_forever, daemon=True).start()
set_llm_cache(InMemoryCache())
model = ChatOpenAI(model="m", base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="made-up")
with get_usage_metadata_callback() as counted:
    for _ in range(3):
        model.invoke("x")
usage = counted.usage_metadata["m"]
print(f"langchain-core {version('langchain-core')}")
print(f"questions 3, calls {len(billed)}, billed {sum(billed)}")
print(f"counted {usage['total_tokens']}, total_cost {usage.get('total_cost')}")
sys.exit((billed, usage["total_tokens"], usage.get("total_cost")) != ([120], 360, 0))
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
