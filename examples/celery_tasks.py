"""Celery: `CELERY_BROKER_URL=redis://127.0.0.1:6379/1 celery --app celery_tasks worker`.

Each child of the pool is a replica. What a task is about, and whose it is, follows the call.
"""

from celery import Celery
from openai import OpenAI

import fleetmeter
from fleetmeter.llm import attributes

fleetmeter.install()
fleetmeter.instrument_openai()
app = Celery("celery_tasks")


@app.task  # type: ignore[untyped-decorator]  # Celery ships no types
def summarise(text: str) -> str | None:
    """The text in a sentence."""
    with attributes(intent="summary"), OpenAI() as client:
        completion = client.chat.completions.create(
            model="gpt-6-luna",
            messages=[{"role": "system", "content": "One sentence, please."}, {"role": "user", "content": text}],
        )
    return completion.choices[0].message.content
