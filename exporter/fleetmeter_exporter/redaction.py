"""Text that may be shown: what is secret in it has gone."""

import re

_HIDDEN = "***"
_PATTERNS = (
    # user and password of any URL; up to the last @ of the word, as a broken URL may have a / in its password
    (re.compile(r"://\S*@"), f"://{_HIDDEN}@"),
    # every parameter of any URL: passwords, and paths of keys; a database that stands alone is none
    (re.compile(r"(://[^\s?]*\?)(?!db=\d+(?![^\s,:\"']))[^\s\"']+"), rf"\g<1>{_HIDDEN}"),
    # a store that does not know HELLO or AUTH repeats what they were sent with
    (re.compile(r"(with args beginning with: ).*"), rf"\g<1>{_HIDDEN}"),
    # keys of OpenAI's kind, and what goes with a request
    (re.compile(r"\bsk-[A-Za-z0-9_-]{4,}"), f"sk-{_HIDDEN}"),
    (re.compile(r"\b(bearer )[^\s\"']+", re.IGNORECASE), rf"\g<1>{_HIDDEN}"),
    (re.compile(r"((?:password|passwd|secret|api_key)=)[^\s,;&)]+", re.IGNORECASE), rf"\g<1>{_HIDDEN}"),
)


def redacted(text: str) -> str:
    """The text with `***` in the place of users, passwords and parameters of URLs, and of what a store repeats."""
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text
