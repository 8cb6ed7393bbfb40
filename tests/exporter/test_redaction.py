"""What may be shown of text that holds a secret."""

import pytest

from fleetmeter_exporter.redaction import redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at redis://user:pass@h:1/2 now", "at redis://***@h:1/2 now"),
        ("redis://:pass@h", "redis://***@h"),
        ("redis://:p@ss@h/0", "redis://***@h/0"),
        ("redis://:p/ss?w#d@h/0", "redis://***@h/0"),
        ("redis://h/0?password=pass&db=1: refused", "redis://h/0?*** refused"),
        ("'unix:///run/redis.sock?password=pass'", "'unix:///run/redis.sock?***'"),
        ("unix:///run/redis.sock?db=1&password=pass", "unix:///run/redis.sock?***"),
        ("unix:///run/redis.sock?db=1pass", "unix:///run/redis.sock?***"),
        ("rediss://h/0?ssl_keyfile=/run/key&ssl_password=pass", "rediss://h/0?***"),
        ("redis+sentinel://:pass@h1,h2:3/s/0?sentinel_password=pass", "redis+sentinel://***@h1,h2:3/s/0?***"),
        ("rediss+cluster://u:pass@h1,h2, redis://:pass@h", "rediss+cluster://***@h1,h2, redis://***@h"),
        ("unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'u' 'pass'", None),
        ("with args beginning with: 'pass' \nat line 3", "with args beginning with: ***\nat line 3"),
        ("Redis(host=h, password=pass, db=0)", "Redis(host=h, password=***, db=0)"),
        ("Redis(ssl_password='pass')", "Redis(ssl_password=***)"),
        ("first redis://:pass@h\nthen redis://:pass@i", "first redis://***@h\nthen redis://***@i"),
    ],
)
def test_secrets_are_hidden(text: str, shown: str | None) -> None:
    """User, password and parameters of every kind of URL, and passwords by name; what stands around them stays."""
    assert shown is None or redacted(text) == shown
    assert "pass" not in redacted(text).replace("password", "")
    assert "/run/key" not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "serving http://127.0.0.1:9847/metrics",
        "redis+sentinel://h1:1,h2/s/2",
        "unix:///run/redis.sock",
        "expected unix:///path/to/socket?db=0, 'unix:///run/redis.sock?db=15' or unix:///run/redis.sock?db=1",
        "user@host has the wrong password; expected another one?",
        "is it http://h/? or a@b",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Addresses and prose come out as they went in."""
    assert redacted(text) == text
