"""pydantic-ai: `python pydantic_ai_agent.py QUESTION …`."""

import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel

import fleetmeter

fleetmeter.install()
fleetmeter.instrument_openai()

agent = Agent(OpenAIChatModel("gpt-6-luna"), instructions="Answer in a sentence.")
for question in sys.argv[1:]:
    print(agent.run_sync(question).output)
