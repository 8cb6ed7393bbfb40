"""Which resource of the API a request is for, and which model it names.

Paths: https://platform.openai.com/docs/api-reference, as the SDK passes them to `request()`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NO_MODEL = "none"
"""The model of requests that name none: files, batches, lists."""

_DEPLOYMENT = re.compile(r"/deployments/([^/?]+)")
"""Where Azure's URLs name a deployment."""

_IDENTIFIED = re.compile(r"^/?responses/([^/?]+)(/cancel)?/?$")


@dataclass(frozen=True, eq=False)  # each is there once: a hash of what it is would cost every call
class Resource:
    """One kind of request.

    `endpoint` is the value of the label; `tells_usage` says that an answer without usage leaves its price unknown;
    `free` that nothing of it is billed by tokens, whatever the answer holds; `finishes` that its streams say when they
    are finished; `nested` that posts below its path are billed, too; `model` that its answers come from a model.
    """

    endpoint: str
    tells_usage: bool = False
    free: bool = False
    finishes: bool = False
    nested: bool = False
    model: bool = True


_RESOURCES = (
    ("chat/completions", Resource("chat.completions", tells_usage=True, finishes=True)),
    ("responses", Resource("responses", tells_usage=True, finishes=True)),
    ("embeddings", Resource("embeddings", tells_usage=True)),
    ("completions", Resource("completions", tells_usage=True, finishes=True)),
    ("images", Resource("images", tells_usage=True, nested=True)),
    ("audio/speech", Resource("audio.speech", tells_usage=True)),
    ("audio/transcriptions", Resource("audio.transcriptions", tells_usage=True)),
    ("audio/translations", Resource("audio.translations", tells_usage=True)),
    ("videos", Resource("videos", tells_usage=True, nested=True)),
    ("moderations", Resource("moderations", free=True)),
    ("realtime", Resource("realtime", free=True)),
    *(
        (name, Resource(name, free=True, model=False))
        for name in (
            *("batches", "files", "uploads", "models", "fine_tuning"),
            *("vector_stores", "conversations", "containers"),
        )
    ),
)
_OTHER = Resource("other", free=True, model=False)

_LATER_LOOK = Resource("responses", free=True, finishes=True)
"""A look at a response that was made before: it tells the usage of that one again."""


def resource_of(method: str, url: str) -> Resource:
    """The resource of a request, by its method and the path that the SDK's resource passed."""
    path = url.partition("?")[0].strip("/")
    deployment = _DEPLOYMENT.search(f"/{path}")
    if deployment:
        path = f"/{path}".partition(deployment[0])[2].strip("/")
    if "://" in path:  # a whole URL, as a caller may pass it: the resource stands at its end
        path = path.partition("://")[2].partition("/")[2].removeprefix("v1/")
    for prefix, resource in _RESOURCES:
        if path == prefix or path.startswith(f"{prefix}/"):
            if resource.endpoint == "responses" and path not in {"responses", "responses/compact"}:
                return _LATER_LOOK
            billed = method.lower() == "post" and (path in (prefix, "responses/compact") or resource.nested)
            return resource if billed or resource.free else Resource(resource.endpoint, free=True)
    return _OTHER


def response_id_of(url: str) -> str | None:
    """The id of the response that a request looks at or cancels; None for any other request."""
    found = _IDENTIFIED.match(url.partition("?")[0].lstrip("/"))
    return found[1] if found and found[1] not in {"compact", "input_tokens"} else None


@lru_cache(1024)
def target_of(method: str, url: str) -> tuple[Resource, str | None]:
    """The resource of a request, and the id of the response that it looks at."""
    return resource_of(method, url), response_id_of(url)


_texts: dict[int, tuple[object, str]] = {}
"""The texts of URLs that were asked for lately, by the object's id. The object is kept, so that no other has its id."""
_MOST_TEXTS = 256


def text_of(url: object) -> str:
    """The text of a URL. Clients hold theirs as an object, and to write it out takes as long as to read a usage."""
    kept = _texts.get(id(url))
    if kept is None:
        if len(_texts) >= _MOST_TEXTS:
            _texts.clear()
        kept = _texts[id(url)] = url, str(url)
    return kept[1]


def asked_model(options: Any, url: str, base_url: object = "") -> str:
    """The model that a request asks for: `extra_body` wins over the arguments, they over Azure's deployment."""
    for source in _bodies(options):
        model = source.get("model")
        if isinstance(model, str) and model:
            return model
    found = _DEPLOYMENT.search(url) or _DEPLOYMENT.search(str(base_url))
    return found[1] if found else NO_MODEL


def stream_options(options: Any) -> Mapping[str, Any]:
    """What a request says of its stream; `extra_body` wins."""
    for source in _bodies(options):
        found = source.get("stream_options")
        if isinstance(found, Mapping):
            return found
    return {}


def asks_for_usage(options: Any) -> bool:
    """Whether a request asks for the chunk that tells usage."""
    return stream_options(options).get("include_usage") is True


def _bodies(options: Any) -> tuple[Mapping[str, Any], ...]:
    """What a request sends, the stronger first."""
    extra, body = getattr(options, "extra_json", None), getattr(options, "json_data", None)
    if extra is None and type(body) is dict:
        return (body,)
    return tuple(source for source in (extra, body) if isinstance(source, Mapping))
