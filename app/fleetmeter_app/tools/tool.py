"""A Python function as a tool: its JSON schema from its signature, its arguments checked by pydantic."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from pydantic import TypeAdapter, ValidationError, validate_call
from pydantic.errors import PydanticUserError

from fleetmeter_app.errors import ToolError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What OpenAI takes as a function's name."""

_MOST_PROBLEMS = 5
"""Wrong arguments that a model is told of at once."""


class Tool:
    """A typed function that a model may call by its name. Its docstring tells the model what it is for.

    Raises ValueError for a function whose arguments cannot all be given by name as JSON.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        if not inspect.isroutine(function):
            raise ValueError("it is no function")
        self.name: str = function.__name__ if name is None else name
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name for a tool: 1 to 64 letters, digits, _ and -")
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self._bind, self.schema = _binding(function)

    def definition(self) -> dict[str, Any]:
        """The tool as a request names it to a model: https://platform.openai.com/docs/guides/function-calling."""
        function = {"name": self.name, "description": inspect.getdoc(self.function) or "", "parameters": self.schema}
        return {"type": "function", "function": function}

    def bound(self, arguments: Mapping[str, Any]) -> Callable[[], Any]:
        """The call with these arguments, made what the signature says. Raises `ToolError`, which names wrong ones."""
        try:
            args, kwargs = self._bind(**arguments)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            told = "; ".join(f"{_place(problem['loc'])}: {problem['msg']}" for problem in problems[:_MOST_PROBLEMS])
            raise ToolError(f"wrong arguments: {told}. Call it again with arguments that fit its schema.") from error
        return lambda: self.function(*args, **kwargs)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:64] for part in location) or "arguments"


def _binding(function: Callable[..., Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What checks arguments and returns them, instead of calling the function; and their schema."""

    @wraps(function)
    def bind(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    try:
        form: Any = function  # which type checkers take for no type
        schema = TypeAdapter(form).json_schema()
        checked = validate_call(bind)
    except (PydanticUserError, NameError, TypeError) as error:
        raise ValueError(f"its arguments cannot be described as JSON: {str(error).splitlines()[0]}") from error
    if schema.get("type") != "object":
        raise ValueError("its arguments cannot all be given by name")
    return checked, schema
