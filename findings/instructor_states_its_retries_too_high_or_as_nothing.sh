#!/usr/bin/env bash
# instructor 1.17.0: four paid attempts of 120 tokens are reported as 1,200 by one way and as 0 by another.
#
# An answer that does not fit the model is asked for again, and each attempt is billed. The exception at the end has
# `failed_attempts`, and one would expect each with its own usage. With the client of OpenAI each one's usage was
# overwritten by the total so far: 120, 240, 360, 480. Added up, these are 1,200 tokens for 480. With the client of Groq
# each answer keeps its own usage, but `total_usage` of the exception stays at 0: only usage objects of OpenAI's and
# Anthropic's own classes are added, and Groq's has the same fields and another class. So neither way is right for both.
# A handler of the hook `completion:response` sees 120 each time, if it reads the number at once.
#
# Seen 2026-12-01: "openai: billed 480, … failed attempts [120, 240, 360, 480], total 480", "groq: billed 480, …
# failed attempts [120, 120, 120, 120], total 0".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    instructor==1.17.0 openai==3.3.0 groq==1.7.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import importlib.metadata
import json
import logging
import sys
import threading

import groq
import instructor
import openai
import pydantic
from instructor.core.exceptions import InstructorRetryException

logging.disable(logging.CRITICAL)
BILLED = []


class Upstream(http.server.BaseHTTPRequestHandler):
    """Stands in for a provider on the loopback: each answer costs 120 tokens, and none fits the model."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.close_connection = True
        message = {"role": "assistant", "content": '{"age": "old"}'}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        answer["usage"] = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        BILLED.append(120)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass


class Person(pydantic.BaseModel):
    age: int


def count(name, client):
    """Asks four times in vain; returns what was billed, and what the hook, the failed attempts and the total say."""
    BILLED.clear()
    answers = []
    client.on("completion:response", lambda answer: answers.append(answer.usage.total_tokens))
    question = [{"role": "user", "content": "x"}]
    try:
        client.create(model="m", messages=question, response_model=Person, max_retries=3)
    except InstructorRetryException as raised:
        failed = [attempt.completion.usage.total_tokens for attempt in raised.failed_attempts]
        total = raised.total_usage
        total = total if isinstance(total, int) else total.total_tokens
    else:
        sys.exit("an answer that does not fit was taken")
    print(f"{name}: billed {sum(BILLED)}, hook {answers}, failed attempts {failed}, total {total}")
    return sum(BILLED), answers, failed, total


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
print(f"instructor {importlib.metadata.version('instructor')}")
with_openai = instructor.from_openai(openai.OpenAI(base_url=url, api_key="made-up"), mode=instructor.Mode.JSON)
with_groq = instructor.from_groq(groq.Groq(base_url=url, api_key="made-up"), mode=instructor.Mode.MD_JSON)
growing, same = [120, 240, 360, 480], [120] * 4
as_seen = count("openai", with_openai) == (480, same, growing, 480)
as_seen &= count("groq", with_groq) == (480, same, same, 0)
sys.exit(not as_seen)
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
