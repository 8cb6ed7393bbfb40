"""A service without the gateway: two lines of ours in a program that answers HTTP and calls models.

`python service.py PORT`; OPENAI_BASE_URL and OPENAI_API_KEY say where the models are.
"""

import sys

import openai
import uvicorn
from fastapi import FastAPI, HTTPException

import fleetmeter
from fleetmeter.llm import attributes
from fleetmeter.pricing import Book, PriceList

app = FastAPI()
client = openai.AsyncOpenAI(max_retries=1)


@app.get("/ask")
async def ask(intent: str, model: str, *, stream: bool = False, fault: str = "") -> str:
    """Ask a model, and answer what it says."""
    text = f"[[fault:{fault}]]" if fault else "[[usage:prompt=90,cached=30,completion=40]]"
    with attributes(intent=intent):
        try:
            if not stream:
                answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
                return answer.choices[0].message.content or ""
            chunks = await client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": text}], stream=True,
                stream_options={"include_usage": True},
            )  # fmt: skip
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
        except openai.APIError as error:
            raise HTTPException(502, f"{type(error).__name__}: {error}") from error


if __name__ == "__main__":
    fleetmeter.install()
    fleetmeter.instrument_fastapi(app)
    fleetmeter.instrument_openai(prices=PriceList(Book(providers={"127.0.0.1": "openai"})))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
