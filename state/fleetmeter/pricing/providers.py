"""Finds the provider at a base URL, by the user's own table and genai-prices' patterns."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

OPENAI = "openai"
_REGIONAL = re.compile(r"[a-z]{2,4}\.api\.openai\.com")
"""OpenAI's addresses for data residency: us, eu, au, in, jp, and later ones of the same form."""
_END_OF_HOST = re.compile(r"\(\?:/\|\$\)|\(/\|\$\)")


class Place(NamedTuple):
    """Where a call went: the provider, or None if it is not known; and whether it was a regional address of OpenAI."""

    provider: str | None
    regional: bool = False


def place_of(base_url: str, own: Mapping[str, str], providers: Iterable[Any]) -> Place:
    """The provider at a base URL.

    `own` maps beginnings of base URLs, or hosts with or without a port, to providers. The longest that fits wins. If
    none fits, the patterns of `providers` decide, which are genai-prices'.
    """
    parts = urlsplit(base_url if "://" in base_url else f"https://{base_url}")
    host = (parts.hostname or "").lower()
    mine = [key for key in own if key in (host, parts.netloc.lower()) or _begins(base_url, key)]
    if mine:
        return Place(own[max(mine, key=len)])
    if _REGIONAL.fullmatch(host):
        return Place(OPENAI, regional=True)
    origin = f"{parts.scheme}://{parts.netloc}"
    for provider in providers:
        found = re.match(provider.api_pattern, base_url)
        if found is not None and _is_whole(found.end(), origin, provider.api_pattern):
            return Place(provider.id)
    return Place(None)


def _begins(base_url: str, key: str) -> bool:
    """Whether a base URL begins with a key, up to the end of a part of its path: `…/v1/x` with `…/v1`, `…/v10` not."""
    rest = base_url.removeprefix(key)
    return "://" in key and rest != base_url and (not rest or key.endswith("/") or rest[0] in "/?#")


def _is_whole(end: int, origin: str, pattern: str) -> bool:
    """Whether a pattern fitted whole parts of a URL. A host that only begins like a provider's is somebody else's."""
    host_only = "/" not in _END_OF_HOST.sub("", pattern.partition("://")[2] or pattern).replace("(https?://)?", "")
    if end > len(origin):
        return not host_only or end == len(origin) + 1
    rest = origin[end:]
    return not rest or rest[0] == ":" or pattern.endswith(r"\.")
