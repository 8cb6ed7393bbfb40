"""A framework against a gateway: `matrix_gateway_frameworks.py NAME BASE_URL`. Prints what came of each call, as JSON.

An answer is told by its number of words, which the upstream was asked for, and a round with a tool by the text that the
tool returned, which the upstream repeats.
"""

import asyncio
import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

LUNA, VECTORS = "gpt-6-luna", "text-embedding-3-small"
BILL = "[[usage:prompt=100,completion=20]]"
TOOLED = f'[[call:quote {{"symbol": "ACME"}}]] [[answer:results]] {BILL}'
WISHED = f"[[answer:tool]] {BILL}"
RESULT = "17 USD"
URL = sys.argv[2]


class Quote(BaseModel):
    """A structured output."""

    symbol: str


def quote(symbol: str) -> str:
    """The price of a share."""
    assert symbol, "a tool was called without its argument"
    return RESULT


def words(text: str) -> int:
    """How many there are."""
    return len(text.split())


def langchain() -> dict[str, Any]:
    """langchain-openai."""
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    common: Any = {"model": LUNA, "base_url": URL, "api_key": "k", "max_retries": 0}
    chat = ChatOpenAI(**common, use_responses_api=False)  # by itself it asks newer models for responses
    answer = chat.invoke(BILL)
    bound = chat.bind_tools([quote])
    asked: Any = bound.invoke(TOOLED)
    told = ToolMessage(quote(**asked.tool_calls[0]["args"]), tool_call_id=asked.tool_calls[0]["id"])
    responses = ChatOpenAI(**common, use_responses_api=True)
    vectors = OpenAIEmbeddings(model=VECTORS, base_url=URL, api_key="k", check_embedding_ctx_length=False)
    return {
        "chat": [words(answer.text), answer.usage_metadata["total_tokens"]],
        "stream": words("".join(chunk.text for chunk in chat.stream(BILL))),
        "async": words(asyncio.run(chat.ainvoke(BILL)).text),
        "tools": bound.invoke([HumanMessage(TOOLED), asked, told]).text,
        "parse": type(chat.with_structured_output(Quote).invoke(BILL)).__name__,
        "response": words(responses.invoke(BILL).text),
        "response stream": words("".join(chunk.text for chunk in responses.stream(BILL))),
        "embeddings": len(vectors.embed_documents(["a", "b"])),
    }


def pydantic_ai() -> dict[str, Any]:
    """pydantic-ai."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async def all_of_them() -> dict[str, Any]:
        provider = OpenAIProvider(base_url=URL, api_key="k")
        model = OpenAIChatModel(LUNA, provider=provider)
        plain = await Agent(model).run(BILL)
        async with Agent(model).run_stream(BILL) as streamed:
            text = [part async for part in streamed.stream_text(delta=True)]
        return {
            "chat": [words(plain.output), plain.usage.total_tokens],
            "stream": words("".join(text)),
            "tools": (await Agent(model, tools=[quote]).run(TOOLED)).output,
            "parse": type((await Agent(model, output_type=Quote).run(BILL)).output).__name__,
            "response": words((await Agent(OpenAIResponsesModel(LUNA, provider=provider)).run(BILL)).output),
        }

    return asyncio.run(all_of_them())


def agents() -> dict[str, Any]:
    """openai-agents."""
    from agents import Agent, Runner, function_tool, set_tracing_disabled
    from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
    from agents.models.openai_responses import OpenAIResponsesModel
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    called = []

    @function_tool
    def counted(symbol: str) -> str:
        """The price of a share."""
        called.append(symbol)
        return RESULT

    async def all_of_them() -> dict[str, Any]:
        async with AsyncOpenAI(base_url=URL, api_key="k") as client:
            chat, responses = OpenAIChatCompletionsModel(LUNA, client), OpenAIResponsesModel(LUNA, client)
            tool = function_tool(quote)
            answer = await Runner.run(Agent(name="a", model=chat), BILL)
            streamed = Runner.run_streamed(Agent(name="a", model=chat), BILL)
            async for _ in streamed.stream_events():
                pass
            other = Runner.run_streamed(Agent(name="a", model=responses), BILL)
            async for _ in other.stream_events():
                pass
            await Runner.run(Agent(name="a", model=responses, tools=[counted]), WISHED)
            return {
                "chat": [words(answer.final_output), answer.context_wrapper.usage.total_tokens],
                "stream": words(streamed.final_output),
                "tools": (await Runner.run(Agent(name="a", model=chat, tools=[tool]), TOOLED)).final_output,
                "parse": type(
                    (await Runner.run(Agent(name="a", model=chat, output_type=Quote), BILL)).final_output
                ).__name__,
                "response": words((await Runner.run(Agent(name="a", model=responses), BILL)).final_output),
                "response stream": words(other.final_output),
                "response tools": len(called),
            }

    return asyncio.run(all_of_them())


def instructor() -> dict[str, Any]:
    """Instructor."""
    import instructor as library
    from openai import AsyncOpenAI, OpenAI

    said: Any = {"model": LUNA, "messages": [{"role": "user", "content": BILL}], "response_model": Quote}
    found: dict[str, Any] = {}
    for name, mode in (("tools", library.Mode.TOOLS), ("parse", library.Mode.JSON_SCHEMA)):
        with OpenAI(base_url=URL, api_key="k") as client:
            made: Any = library.from_openai(client, mode=mode)
            found[name] = type(made.chat.completions.create(**said)).__name__
            found[f"{name} stream"] = bool(list(made.chat.completions.create_partial(**said)))

    async def asynchronous() -> str:
        async with AsyncOpenAI(base_url=URL, api_key="k") as client:
            made: Any = library.from_openai(client)
            return type(await made.chat.completions.create(**said)).__name__

    return found | {"async": asyncio.run(asynchronous())}


def litellm() -> dict[str, Any]:
    """The SDK of LiteLLM."""
    import litellm as library

    common: Any = {"model": f"openai/{LUNA}", "api_base": URL, "api_key": "k", "num_retries": 0}

    def said(text: str) -> dict[str, Any]:
        return {**common, "messages": [{"role": "user", "content": text}]}

    ask: Any = library.completion
    answer = ask(**said(BILL))
    function = {
        "name": "quote",
        "parameters": {"type": "object", "properties": {"symbol": {"type": "string"}}, "required": ["symbol"]},
    }
    tools = [{"type": "function", "function": function}]
    asked = ask(**said(TOOLED), tools=tools).choices[0].message
    call = asked.tool_calls[0]
    told = {"role": "tool", "tool_call_id": call.id, "content": quote(**json.loads(call.function.arguments))}
    rounds = [{"role": "user", "content": TOOLED}, asked.model_dump(), told]
    vectors = library.embedding(model=f"openai/{VECTORS}", input=["a", "b"], api_base=URL, api_key="k")
    other: Any = library.responses(input=BILL, model=f"openai/{LUNA}", api_base=URL, api_key="k")
    return {
        "chat": [words(answer.choices[0].message.content), answer.usage.total_tokens],
        "stream": words("".join(chunk.choices[0].delta.content or "" for chunk in ask(**said(BILL), stream=True))),
        "async": words(asyncio.run(library.acompletion(**said(BILL))).choices[0].message.content),
        "tools": ask(**common, messages=rounds, tools=tools).choices[0].message.content,
        "response": words(other.output[0].content[0].text),
        "embeddings": len(vectors.data),
    }


def llama_index() -> dict[str, Any]:
    """llama-index."""
    from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
    from llama_index.core.tools import FunctionTool
    from llama_index.embeddings.openai import OpenAIEmbedding
    from llama_index.llms.openai import OpenAI

    class Ours(OpenAI):
        """It looks its models up in a table of its own, which has none of ours."""

        @property
        def metadata(self) -> Any:
            return LLMMetadata(
                context_window=100_000,
                num_output=100,
                is_chat_model=True,
                is_function_calling_model=True,
                model_name=LUNA,
            )

    chat = Ours(model=LUNA, api_base=URL, api_key="k", max_retries=0)
    said = [ChatMessage(role="user", content=BILL)]
    answer = chat.chat(said)
    asked = chat.chat_with_tools([FunctionTool.from_defaults(quote)], user_msg=TOOLED)
    calls = chat.get_tool_calls_from_response(asked)
    told = ChatMessage(
        role="tool", content=quote(**calls[0].tool_kwargs), additional_kwargs={"tool_call_id": calls[0].tool_id}
    )
    rounds = [ChatMessage(role="user", content=TOOLED), asked.message, told]
    vectors = OpenAIEmbedding(model=VECTORS, api_base=URL, api_key="k", max_retries=0)
    return {
        "chat": [words(answer.message.content or ""), answer.raw.usage.total_tokens],
        "stream": words("".join(chunk.delta or "" for chunk in chat.stream_chat(said))),
        "async": words(asyncio.run(chat.achat(said)).message.content or ""),
        "tools": chat.chat(rounds).message.content,
        "parse": type(chat.as_structured_llm(Quote).complete(BILL).raw).__name__,
        "embeddings": len(vectors.get_text_embedding_batch(["a", "b"])),
    }


PROGRAMS: dict[str, Callable[[], dict[str, Any]]] = {
    one.__name__: one for one in (langchain, pydantic_ai, agents, instructor, litellm, llama_index)
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ.setdefault("OPENAI_API_KEY", "k")
    print(json.dumps(PROGRAMS[sys.argv[1]]()))
