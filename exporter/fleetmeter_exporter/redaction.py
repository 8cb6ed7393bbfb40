"""Removes secrets from text that is to be shown."""

import re

_HIDDEN = "***"
_PATTERNS = (
    # user and password of any URL, up to the last @ of the word, because a password may have an unescaped / or @
    (re.compile(r"://\S*@"), f"://{_HIDDEN}@"),
    # all parameters of any URL, as there may be passwords and paths of keys; `?db=0` alone stays
    (re.compile(r"(://[^\s?]*\?)(?!db=\d+(?![^\s,:\"']))[^\s\"']+"), rf"\g<1>{_HIDDEN}"),
    # a store that does not know HELLO or AUTH repeats their arguments in its error
    (re.compile(r"(with args beginning with: ).*"), rf"\g<1>{_HIDDEN}"),
    # API keys in OpenAI's form, and headers and parameters that carry a secret
    (re.compile(r"\bsk-[A-Za-z0-9_-]{4,}"), f"sk-{_HIDDEN}"),
    (re.compile(r"\b(bearer )[^\s\"']+", re.IGNORECASE), rf"\g<1>{_HIDDEN}"),
    (re.compile(r"((?:password|passwd|secret|api_key)=)[^\s,;&)]+", re.IGNORECASE), rf"\g<1>{_HIDDEN}"),
)


def redacted(text: str) -> str:
    """The text with `***` instead of secrets: users, passwords and parameters of URLs, API keys, tokens."""
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text
