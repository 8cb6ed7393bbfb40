"""LiteLLM, and its calls that are none of the SDK's: `python litellm_responses.py QUESTION …`.

`aresponses()` has a client of its own, which the hook cannot see. A logger of LiteLLM's records it, and nothing else:
the chats of `openai/` are seen, and would count twice.
"""

import asyncio
import sys
from datetime import datetime
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

import fleetmeter
from fleetmeter.llm import record_call

fleetmeter.install()
fleetmeter.instrument_openai()


class Unseen(CustomLogger):  # type: ignore[misc]  # LiteLLM is not there when types are checked
    """Records what the hook does not see."""

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """An answer of any kind."""
        if kwargs["call_type"] == "aresponses":
            record_call(
                usage=response_obj.usage,
                model=response_obj.model,
                provider="openai",
                endpoint="responses",
                duration=(end_time - start_time).total_seconds(),
            )


litellm.callbacks = [Unseen()]


async def main() -> None:
    """Ask each question in a way that is seen, and in one that is not."""
    for question in sys.argv[1:]:
        chat = await litellm.acompletion("openai/gpt-6-luna", messages=[{"role": "user", "content": question}])
        print(chat.choices[0].message.content)
        response = await litellm.aresponses(question, "openai/gpt-6-luna")
        print(response.output[-1].content[0].text)
    await asyncio.sleep(1)  # LiteLLM calls its loggers later


asyncio.run(main())
