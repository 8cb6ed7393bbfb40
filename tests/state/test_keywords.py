"""Public functions whose arguments are named say which one is meant, and stay what they are to tools."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import fleetmeter
import fleetmeter.instrumentation
import fleetmeter.llm
import fleetmeter.multiprocess
import fleetmeter.pricing
import fleetmeter_exporter
from fleetmeter.instrumentation import HTTPMiddleware
from fleetmeter.llm import configure, record_openai_call
from fleetmeter_exporter import RedisCollector, make_asgi_app

SECRET = "redis://user:secret@host"
CALLS: list[tuple[Callable[..., object], tuple[object, ...], str]] = [
    (
        fleetmeter.install,
        (SECRET,),
        "install() takes no positional arguments, and got 1; name the others: install(url=…)",
    ),
    (fleetmeter.install, (SECRET, "shop"), "install(url=…, namespace=…)"),
    (record_openai_call, ("gpt-4o",), "record_openai_call(model=…)"),
    (configure, (["gpt-4o"],), "configure(models=…)"),
    (make_asgi_app, (SECRET,), "make_asgi_app(url=…)"),
    (RedisCollector, (None, SECRET), "RedisCollector() takes 1 positional argument, and got 2"),
    (fleetmeter.instrument_fastapi, (None, "api_"), "instrument_fastapi(…, prefix=…)"),
    (HTTPMiddleware, (None, None), "HTTPMiddleware(…, metrics=…)"),
]


@pytest.mark.parametrize(("function", "arguments", "said"), CALLS)
def test_a_bare_argument_is_told_its_name(
    function: Callable[..., object], arguments: tuple[object, ...], said: str
) -> None:
    """The error names the keyword, and shows no value: an address may hold a password."""
    with pytest.raises(TypeError) as error:
        function(*arguments)
    assert said in str(error.value)
    assert "secret" not in str(error.value)


def test_more_bare_arguments_than_names_are_refused() -> None:
    """All names are told; nothing is called."""
    with pytest.raises(TypeError, match="got 9; name the others: install"):
        fleetmeter.install(*range(9))


def public() -> dict[str, Any]:
    """Every public function, and the constructor of every public class that is no dataclass."""
    found = {}
    modules = (fleetmeter, fleetmeter.llm, fleetmeter.pricing, fleetmeter.instrumentation, fleetmeter_exporter)
    for module in modules:
        for name in module.__all__:
            item = getattr(module, name)
            if inspect.isclass(item) and "__init__" in vars(item) and not hasattr(item, "__dataclass_fields__"):
                item = item.__init__
            if inspect.isfunction(item):
                found[f"{module.__name__}.{name}"] = item
    return found


@pytest.mark.parametrize("name", public())
def test_every_public_function_with_keywords_alone_says_so(name: str) -> None:
    """Whatever has arguments that must be named goes through the one mechanism, and shows its own signature."""
    function = public()[name]
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters):
        assert hasattr(function, "__wrapped__")
        assert inspect.signature(function) == inspect.signature(function.__wrapped__)
        assert function.__doc__ == function.__wrapped__.__doc__
