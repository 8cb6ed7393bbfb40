"""An answer as it is stored: compressed if it is large, sealed if there is a key, and read back to the last byte."""

import base64
import os

import pytest

from fleetmeter_app.caching.entry import Entry, Facts
from fleetmeter_app.caching.vault import Vault
from fleetmeter_app.errors import ConfigError

FACTS = Facts(200, "application/json", "gpt-6-luna", "cheap", 1234)
KEY = base64.b64encode(bytes(range(32))).decode()
QUESTION = b'{"messages": "how much is the fish"}'


@pytest.mark.parametrize("body", [b"", b"{}", b"\n\n", b"\x00\xff" * 10, b"word " * 10_000, os.urandom(5_000)])
@pytest.mark.parametrize("vault", [Vault(), Vault.from_text("KEY", KEY)], ids=["open", "sealed"])
def test_an_entry_is_read_back_to_the_last_byte(body: bytes, vault: Vault) -> None:
    """Any body, empty or not text at all, comes back with its facts."""
    entry = Entry(FACTS, body)
    assert Entry.from_bytes(vault.opened(vault.sealed(entry.to_bytes(), "f"), "f")) == entry


def test_a_large_entry_is_compressed() -> None:
    """Ten times the same words take a fraction of their bytes; a short one is left as it is."""
    assert len(Entry(FACTS, b"word " * 10_000).to_bytes()) < 5_000
    assert b"short" in Entry(FACTS, b"short").to_bytes()


def test_an_entry_of_a_later_version_is_read() -> None:
    """A fact that is not known is passed over, so that two versions can share a cache in a rolling deploy."""
    stored = Entry(FACTS, b"{}").to_bytes().replace(b'"tier"', b'"later":[1],"tier"')
    assert Entry.from_bytes(stored) == Entry(FACTS, b"{}")


@pytest.mark.parametrize("stored", [b"", b"p", b"p{}\nx", b"pnull\n", b"z123", b"q{}", b'p{"status":"200"}\n'])
def test_what_is_no_entry_is_refused(stored: bytes) -> None:
    """Whatever stands in the store raises ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        Entry.from_bytes(stored)


def test_a_sealed_entry_tells_nothing_and_opens_only_in_its_place() -> None:
    """With a key neither text nor digest can be guessed; another key or another field opens nothing."""
    vault, other = Vault.from_text("KEY", KEY), Vault.from_text("KEY", base64.b64encode(b"x" * 32).decode())
    sealed = vault.sealed(Entry(FACTS, b"fish").to_bytes(), "here")
    assert b"fish" not in sealed
    assert b"gpt-6-luna" not in sealed
    assert vault.sealed(b"same", "here") != vault.sealed(b"same", "here")
    assert len({vault.digest(QUESTION), other.digest(QUESTION), Vault().digest(QUESTION)}) == 3
    for opener, place in ((vault, "there"), (other, "here")):
        with pytest.raises(ValueError, match="not sealed with this key"):
            opener.opened(sealed, place)
    with pytest.raises(ValueError, match="not sealed with this key"):
        vault.opened(b"short", "here")


@pytest.mark.parametrize("text", ["secret", "AAAA", base64.b64encode(b"x" * 31).decode(), "ä" * 44])
def test_a_key_that_is_none_is_refused_without_being_quoted(text: str) -> None:
    """The error names the variable and how to make a key."""
    with pytest.raises(ConfigError, match="openssl rand -base64 32") as caught:
        Vault.from_text("FLEETMETER_APP_CACHE_KEY", text)
    assert "FLEETMETER_APP_CACHE_KEY" in str(caught.value)
    assert text not in str(caught.value)


@pytest.mark.parametrize("text", [None, ""])
def test_no_key_leaves_entries_open(text: str | None) -> None:
    """An unset variable, or an empty one, is no key."""
    assert Vault.from_text("KEY", text).sealed(b"plain", "f") == b"plain"
