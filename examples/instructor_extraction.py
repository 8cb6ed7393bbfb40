"""instructor: `python instructor_extraction.py TEXT …`. An answer that has to be asked for again is a new call."""

import sys

import instructor
from openai import OpenAI
from pydantic import BaseModel

import fleetmeter

fleetmeter.install()
fleetmeter.instrument_openai()


class Person(BaseModel):
    """What is to be found in a text."""

    name: str
    age: int


client = instructor.from_openai(OpenAI())
for text in sys.argv[1:]:
    person = client.chat.completions.create(
        model="gpt-6-luna", response_model=Person, messages=[{"role": "user", "content": text}]
    )
    print(person.name, person.age)
