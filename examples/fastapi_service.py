"""An existing FastAPI service: `uvicorn fastapi_service:app`.

The two calls of fleetmeter's are all that was added. Every call of a model is counted and priced, whoever makes it, and
whatever happens to it.
"""

from fastapi import FastAPI
from openai import AsyncOpenAI

import fleetmeter

fleetmeter.install()
fleetmeter.instrument_openai()

app = FastAPI()
client = AsyncOpenAI()


@app.get("/answer")
async def answer(question: str) -> dict[str, str | None]:
    """What the model answers to /answer?question=Why."""
    completion = await client.chat.completions.create(
        model="gpt-6-luna", messages=[{"role": "user", "content": question}]
    )
    return {"answer": completion.choices[0].message.content}
