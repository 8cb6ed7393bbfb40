"""Lets a framework call models: an answer, a stream, a retry, an error. Prints what was counted, as JSON.

Usage: matrix_frameworks.py NAME. OPENAI_BASE_URL names the upstream.
"""

import asyncio
import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from matrix_openai import Answer, counted

import fleetmeter
from fleetmeter.pricing import Book, PriceList

LUNA = "gpt-6-luna"
USAGE = "[[usage:prompt=100,completion=20]] say"
RETRIED = "[[fault:429,times=1]] [[usage:prompt=100,completion=20]] say"
BROKEN = "[[fault:500]] say"
URL = os.environ.get("OPENAI_BASE_URL", "")


def attempted(function: Callable[[], object]) -> None:
    """Call it; a framework wraps errors in its own."""
    try:
        function()
    except Exception as error:  # noqa: BLE001
        sys.stderr.write(f"{type(error).__name__}: {str(error)[:200]}\n")


def langchain() -> None:
    """langchain-openai."""
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    chat = ChatOpenAI(model=LUNA)
    chat.invoke(USAGE)
    list(chat.stream(USAGE))
    list(ChatOpenAI(model=LUNA, stream_usage=True).stream(USAGE))
    asyncio.run(chat.ainvoke(USAGE))
    chat.invoke(RETRIED)
    ChatOpenAI(model=LUNA, use_responses_api=True).invoke(USAGE)
    OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False).embed_query("two words")
    attempted(lambda: chat.invoke(BROKEN))


def pydantic_ai() -> None:
    """pydantic-ai."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

    agent = Agent(OpenAIChatModel(LUNA))

    async def streamed() -> None:
        async with agent.run_stream(USAGE) as result:
            async for _ in result.stream_text():
                pass

    agent.run_sync(USAGE)
    asyncio.get_event_loop().run_until_complete(streamed())
    agent.run_sync(RETRIED)
    Agent(OpenAIResponsesModel(LUNA)).run_sync(USAGE)
    attempted(lambda: agent.run_sync(BROKEN))


def agents() -> None:
    """openai-agents."""
    from agents import Agent, Runner, set_tracing_disabled
    from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
    from openai import AsyncOpenAI

    set_tracing_disabled(True)

    async def main() -> None:
        chat = Agent(name="a", model=OpenAIChatCompletionsModel(LUNA, AsyncOpenAI()))
        for agent in (chat, Agent(name="b", model=LUNA)):
            await Runner.run(agent, USAGE)
            async for _ in Runner.run_streamed(agent, USAGE).stream_events():
                pass
            await Runner.run(agent, RETRIED)
            try:
                await Runner.run(agent, BROKEN)
            except Exception as error:  # noqa: BLE001
                sys.stderr.write(f"{type(error).__name__}\n")

    asyncio.run(main())


def instructor() -> None:
    """Instructor."""
    import instructor as library
    from openai import OpenAI

    client: Any = library.from_openai(OpenAI())
    for text in (USAGE, RETRIED):
        client.chat.completions.create(model=LUNA, response_model=Answer, messages=[{"role": "user", "content": text}])
    list(
        client.chat.completions.create_partial(
            model=LUNA, response_model=Answer, messages=[{"role": "user", "content": USAGE}]
        )
    )
    attempted(
        lambda: client.chat.completions.create(
            model=LUNA, response_model=Answer, messages=[{"role": "user", "content": BROKEN}]
        )
    )


def llama_index() -> None:
    """llama-index."""
    from llama_index.llms.openai import OpenAI

    # it looks its models up in a table of its own, which has none of ours
    class Ours(OpenAI):
        @property
        def metadata(self) -> Any:
            from llama_index.core.base.llms.types import LLMMetadata

            return LLMMetadata(context_window=100_000, num_output=100, is_chat_model=True, model_name=LUNA)

    chat = Ours(model=LUNA, api_base=URL, max_retries=2)
    from llama_index.core.llms import ChatMessage

    for text in (USAGE, RETRIED):
        chat.chat([ChatMessage(role="user", content=text)])
    list(chat.stream_chat([ChatMessage(role="user", content=USAGE)]))
    attempted(lambda: chat.chat([ChatMessage(role="user", content="[[fault:429]]")]))


def semantic_kernel() -> None:
    """semantic-kernel."""
    from openai import AsyncOpenAI
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
    from semantic_kernel.contents import ChatHistory

    async def main() -> None:
        chat = OpenAIChatCompletion(ai_model_id=LUNA, async_client=AsyncOpenAI())
        settings = OpenAIChatPromptExecutionSettings()

        def history(text: str) -> ChatHistory:
            made = ChatHistory()
            made.add_user_message(text)
            return made

        for text in (USAGE, RETRIED):
            await chat.get_chat_message_contents(history(text), settings)
        async for _ in chat.get_streaming_chat_message_contents(history(USAGE), settings):
            pass
        try:
            await chat.get_chat_message_contents(history(BROKEN), settings)
        except Exception as error:  # noqa: BLE001
            sys.stderr.write(f"{type(error).__name__}\n")

    asyncio.run(main())


def litellm() -> None:
    """The SDK of LiteLLM."""
    import litellm as library

    library.num_retries = None
    ask: Any = library.completion
    named = {"model": f"openai/{LUNA}", "api_base": URL}
    for text in (USAGE, RETRIED):
        ask(messages=[{"role": "user", "content": text}], **named)
    list(ask(messages=[{"role": "user", "content": USAGE}], stream=True, **named))
    more = {"stream_options": {"include_usage": True}}
    list(ask(messages=[{"role": "user", "content": USAGE}], stream=True, **more, **named))
    asyncio.run(library.acompletion(messages=[{"role": "user", "content": USAGE}], **named))
    attempted(lambda: ask(messages=[{"role": "user", "content": BROKEN}], **named))


PROGRAMS = {
    one.__name__: one for one in (langchain, pydantic_ai, agents, instructor, llama_index, semantic_kernel, litellm)
}


def main() -> None:
    """Run one."""
    warnings.simplefilter("ignore")
    fleetmeter.instrument_openai(prices=PriceList(Book(providers={"127.0.0.1": "openai"})))
    PROGRAMS[sys.argv[1]]()
    print(json.dumps(counted()))


if __name__ == "__main__":
    main()
