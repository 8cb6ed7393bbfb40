"""openai-agents: `python openai_agents.py QUESTION …`.

OPENAI_AGENTS_DISABLE_TRACING=1 keeps the library from sending traces to OpenAI, which is no call of a model.
"""

import sys

from agents import Agent, Runner

import fleetmeter
from fleetmeter.llm import attributes

fleetmeter.install()
fleetmeter.instrument_openai()

agent = Agent(name="Clerk", instructions="Answer in a sentence.", model="gpt-6-luna")
for question in sys.argv[1:]:
    with attributes(intent="clerk"):
        print(Runner.run_sync(agent, question).final_output)
