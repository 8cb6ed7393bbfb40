"""A stream: `python stream.py QUESTION …`.

A chat stream tells what it used only if it is asked to. `ask_for_usage` asks, and keeps the extra chunk from the
caller, who did not. Without it, what the stream cost is unknown, and is counted as that.
"""

import sys

from openai import OpenAI

import fleetmeter

fleetmeter.install()
fleetmeter.instrument_openai(ask_for_usage=True)

with OpenAI() as client:
    for question in sys.argv[1:]:
        with client.chat.completions.create(
            model="gpt-6-luna", messages=[{"role": "user", "content": question}], stream=True
        ) as stream:
            for chunk in stream:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
        print()
