"""The page of the Python interface: what `__all__` promises, with signatures and docstrings."""

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import fleetmeter.embedded
import fleetmeter.llm
import fleetmeter.multiprocess
import fleetmeter.pricing
import fleetmeter.testing
import fleetmeter_exporter
from fleetmeter_docs.markdown import block
from fleetmeter_docs.markdown import page as page_of

_WIDTH = 100
_PATH = re.compile(r"\b(?:[a-z_][a-z0-9_]*\.)+(?=[A-Z])")
_HEAD = re.compile(r"^(Args|Raises|Returns):$")
_ITEM = re.compile(r"^    (\*{0,2}\w+): (.*)$")

INTRODUCTION = """
What is listed here is what is promised: names in `__all__`. Everything else may change with any release. Metrics are
those of `prometheus_client`, whose own documentation describes `Counter`, `Gauge`, `Histogram` and the others.
"""


def modules() -> dict[ModuleType, list[str]]:
    """The public modules, and the names of each in the order in which they are shown."""
    promised = {
        module: [name for name in module.__all__ if not name.startswith("__")]
        for module in (fleetmeter, fleetmeter.llm, fleetmeter.pricing, fleetmeter_exporter, fleetmeter.testing)
    }
    return {**promised, fleetmeter.multiprocess: ["RedisValue", "mark_process_dead"]}


def page() -> str:
    """The text of the page."""
    parts = []
    for module, names in modules().items():
        parts += [f"## {module.__name__}", _prose(module)]
        parts += [part for name in names for part in _entry(module, name)]
    return page_of("The Python interface", INTRODUCTION, *parts)


def _entry(module: ModuleType, name: str) -> Iterator[str]:
    thing: Any = getattr(module, name)
    yield f"### {module.__name__}.{name}"
    if isinstance(thing, type) and issubclass(thing, Exception):
        yield f"An error, of the kind `{thing.__bases__[0].__name__}`."
    elif callable(thing):
        yield block("text", _signature(name, thing))
    if callable(thing):
        yield _prose(thing)
        yield from _methods(thing)
    else:  # a constant has no docstring of its own
        yield f"A constant of the type `{type(thing).__name__}`."


def _methods(thing: Any) -> Iterator[str]:
    if not isinstance(thing, type) or issubclass(thing, Exception):
        return
    lines = []
    for name, member in _members(thing).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        text = inspect.getdoc(function)
        if name.startswith("_") or text is None or not (callable(function) or isinstance(function, property)):
            continue
        shown = name if isinstance(function, property) else f"{name}(…)"
        lines.append(f"* `{shown}`: {' '.join(text.partition(chr(10) * 2)[0].split())}")
    if lines:
        yield "\n".join(lines)


def _members(thing: type) -> dict[str, Any]:
    """What a class has of its own, then what it has of other classes of ours."""
    found: dict[str, Any] = {}
    for each in thing.__mro__:
        if each.__module__.partition(".")[0].startswith("fleetmeter"):
            found = {**found, **{name: member for name, member in vars(each).items() if name not in found}}
    return found


def _signature(name: str, thing: Any) -> str:
    """The call, on one line or with an argument a line; module names before types are left out."""
    signature = inspect.signature(thing)
    result = signature.return_annotation
    end = ")" if result is inspect.Signature.empty or isinstance(thing, type) else f") -> {_type(result)}"
    arguments: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in arguments:
            arguments.append("*")
        arguments.append(_argument(parameter))
    line = f"{name}({', '.join(arguments)}{end}"
    return line if len(line) <= _WIDTH else "\n".join((f"{name}(", *(f"    {each}," for each in arguments), end))


def _argument(parameter: inspect.Parameter) -> str:
    text = str(parameter).partition(":")[0].partition("=")[0].strip()  # with its stars
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {_type(parameter.annotation)}"
    if parameter.default is inspect.Parameter.empty:
        return text
    default = repr(parameter.default).replace("'", '"')
    return f"{text} = {'…' if default.startswith('<') else default}"


def _type(annotation: Any) -> str:
    """A type without the modules that its parts are in; some are written as texts, for those who check types only."""
    text: str = inspect.formatannotation(annotation)
    return _PATH.sub("", text).replace("'", "")


def _prose(thing: Any) -> str:
    """A docstring as Markdown: lists of arguments and errors become lists."""
    lines = []
    for line in (inspect.getdoc(thing) or "").splitlines():
        head, item = _HEAD.match(line), _ITEM.match(line)
        if head:
            lines += [{"Args": "Arguments:", "Raises": "Raises:", "Returns": "Returns:"}[head[1]], ""]
        elif item:
            lines.append(f"* `{item[1]}`: {item[2]}")
        else:
            lines.append(line.removeprefix("    ") if line.startswith("        ") else line)
    return "\n".join(lines)
