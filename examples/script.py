"""A script: `python script.py QUESTION …`. Each run adds to the same totals; the end of the process hands over."""

import sys

from openai import OpenAI

import fleetmeter

fleetmeter.install()
fleetmeter.instrument_openai()

with OpenAI() as client:
    for question in sys.argv[1:]:
        response = client.responses.create(model="gpt-6-luna", input=question)
        print(response.output_text)
