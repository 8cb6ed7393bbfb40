#!/usr/bin/env bash
# smolagents 1.26.0 and agno 3.1.10: the usage of a run lacks the calls of the agents that were asked on the way.
#
# An agent hands a task to another one, and both know what their calls used. One would expect the usage of the whole run
# to hold all calls that it made, and the documentation of both reads so. Both leave the other agent's calls out: a third
# of the bill here, and nearly all of it when one agent plans and others work. (agno's metrics of a session hold them.)
# The next question of the same conversation (`reset=False`) goes wrong the other way round in smolagents: its usage
# holds all earlier questions, so that a sum over runs grows with the square of their number.
#
# Seen 2026-11-30: "smolagents, with a managed agent: billed 360, reported 240", "smolagents, second question: billed
# 120, reported 240", "agno, team with a member: billed 360, reported 240".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    smolagents==1.26.0 agno==3.1.10 openai==3.57.0 2>/dev/null
cat >"$folder/try.py" <<'PYTHON'
import http.server
import json
import sys
import threading
from importlib.metadata import version

from agno.agent import Agent
from agno.models.openai import OpenAIChat
from agno.team import Team
from smolagents import LogLevel, OpenAIModel, ToolCallingAgent

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
HAND_OVER = {"helper": {"task": "x"}, "delegate_task_to_member": {"member_id": "helper", "task": "x"}}
billed, handed_over = [], []


class Upstream(http.server.BaseHTTPRequestHandler):
    """Stands in for a provider on the loopback. It hands each run's task over once, and then finishes."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        billed.append(USAGE["total_tokens"])
        offered = {tool["function"]["name"] for tool in body.get("tools") or ()}
        for name in offered & set(HAND_OVER) - set(handed_over):
            handed_over.append(name)
            return self.send_choice(name, HAND_OVER[name])
        if "final_answer" in offered:
            return self.send_choice("final_answer", {"answer": "done"})
        return self.send_choice()

    def send_choice(self, tool=None, arguments=None):
        message = {"role": "assistant", "content": None if tool else "done"}
        if tool:
            function = {"name": tool, "arguments": json.dumps(arguments)}
            message["tool_calls"] = [{"id": f"call_{len(billed)}", "type": "function", "function": function}]
        choice = {"index": 0, "finish_reason": "tool_calls" if tool else "stop", "message": message}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer | {"usage": USAGE}).encode())

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/v1"


def compared(who, run, usage):
    """The tokens that one run was billed, and those that it reports."""
    before = sum(billed)
    reported = usage(run())
    print(f"{who}: billed {sum(billed) - before}, reported {reported}")
    return sum(billed) - before, reported


def of_smolagents(result):
    return result.token_usage.total_tokens


def for_agno():
    return OpenAIChat(id="m", base_url=address, api_key="made-up")


common = {
    "model": OpenAIModel(model_id="m", api_base=address, api_key="made-up"),
    "tools": [],
    "verbosity_level": LogLevel.OFF,
}
helper = ToolCallingAgent(name="helper", description="helps", **common)
planner = ToolCallingAgent(managed_agents=[helper], return_full_result=True, **common)
alone = ToolCallingAgent(return_full_result=True, **common)
member = Agent(name="helper", role="helps", model=for_agno(), telemetry=False)
team = Team(members=[member], model=for_agno(), telemetry=False)
print(f"smolagents {version('smolagents')}, agno {version('agno')}")
results = [
    compared("smolagents, with a managed agent", lambda: planner.run("x"), of_smolagents),
    compared("smolagents, first question", lambda: alone.run("x"), of_smolagents),
    compared("smolagents, second question", lambda: alone.run("x", reset=False), of_smolagents),
    compared("agno, team with a member", lambda: team.run("x"), lambda result: result.metrics.total_tokens),
]
sys.exit(results != [(360, 240), (120, 120), (120, 240), (360, 240)])
PYTHON
cd "$folder"
timeout 120 "$folder/venv/bin/python" "$folder/try.py"
