"""What names, label values and numbers are drawn from: ordinary ones, and every kind that has hurt an exposition."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

Pools = tuple[Sequence[str], ...]
"""Texts by kind; each kind is drawn as often as the others."""

_WORDS = ("a", "b", "c", "requests", "wait_seconds", "cost_usd", "a_b", "x:y", "_", "A9", "le", "replica", "namespace")

FAMILY_NAMES: Pools = (
    _WORDS,
    _WORDS,
    ("a_total", "a_count", "a_sum", "a_bucket", "a_created", "a_info", "requests_total"),
    ("a.b", "a-b", "a..b", "a__b", "U__a_2e_b", "http.server.duration", "a.b_total", "a b", " a", "a "),
    (
        'a"b',
        "a\\b",
        "a\\nb",
        "a\nb",
        "a\n",
        "\n",
        "a\tb",
        "a\rb",
        "1a",
        "#a",
        "a{b}",
        "a,b",
        "a=b",
        "# EOF",
        "%d",
        "a%",
    ),
    ("é", "🚀", "a\u2028b", "\0", "fleetmeter_replica"),
    ("fleetmeter_up", "fleetmeter.up", "prompt_cache_size", "prompt_cache_hit_rate", "prompt_cache_operations"),
)
"""Names of families, as prometheus_client accepts them."""

UNITS: Pools = (
    ("",),
    ("",),
    ("seconds", "usd", "bytes"),
    ("usd_cents", "b.c", "x y", 'a"b', "b\\c", "c\nd", "é", "a:b", "1s", "s\n"),
)

LABEL_NAMES: Pools = (
    ("a", "b", "k", "method", "instance", "job", "Z"),
    ("a", "b", "k", "method", "instance", "job", "Z"),
    ("a.b", "a_b", "a-b", "a b", "a:b", "é", 'q"', "b\\", "1x", "_x", "..x", "a=b", "a,b", "a}b", "🚀", "%s"),
    ("le", "quantile", "namespace", "exported_namespace", "replica", "fleetmeter_replica", "operation", "result"),
    ("", "x\n", "x\ny", "\r"),
)

LABEL_VALUES: Pools = (
    ("x", "y", "z", "get", "hit"),
    ("", 'quote " "', "\\", "\\\\", "\\n", "\n", "a\nb\n", '\\"', '"', ",", '","', '","sum"]', '",', "}", "{"),
    (
        "\r",
        "\0",
        "\t",
        "\x1c",
        "\x85",
        "\u2028",
        "\u2029",
        "é",
        "🚀",
        "e\u0301",
        "\ufeff",
        " x ",
        " ",
        "\uffff",
        "\x7f",
    ),
    ('{a="b"} 1 # EOF', "# HELP a b", " # {} 1", "1.0", "__overflow__", "100%", "%d", "%%", "%(a)s"),
)

HELPS: Pools = (
    ("", "Help.", "Help.", "100 %d."),
    ("Ends with a blank. ", "  leads", 'quotes " and \\ and \n', "\\n", "\\", "\r", "\u2028", "\n", '"'),
)

WHOLES: Pools = (
    ("0", "1", "2", "3", "17", "250000000", "1000000"),
    ("0", "1", "2", "3", "17", "250000000", "1000000"),
    (str(2**53 + 1), str(2**63 - 1), str(2**63), str(10**17 + 1)),
)
"""Whole numbers from 0, as the store holds most of all."""

FRACTIONS: Pools = (
    ("0", "1", "17", "1000000", str(2**53 + 1)),
    ("0.1", "1.5", "39.980000000000004", "1234567.25", "1e-07", "2.5e+17", "0.30000000000000004"),
)
"""What sums of fractions are, beside whole numbers."""

LARGE: Pools = (
    (str(10**290), str(int(1.7e308)), str(10**309), str(10**399 + 7), "9" * 4300),
    ("0.5", "1.7e308", "1e400", "1e-300", "0.1", "-0", "007", "12.0", "1e5"),
)

TIMES = (b"1000000000000000", b"1000000002500000", b"1000000123456789", b"0", b"x", b"-5", b"9" * 400, b"9" * 5000)
"""When a series may have come back, µs; most of them somewhere around when its family came."""

NEGATIVE: Pools = (("-1", "-12345678901234567890", "-0.25", "-1e-07"),)

GARBAGE: Pools = (("nan", "inf", "-inf", "+5", " 5", "5 ", "1_0", "", "abc", "0x10", "٣", "1.", "9" * 4301),)
"""Texts that no writer stores: some of them Python reads as numbers."""

BOUNDS = (
    ("1.0", "5.0", "+Inf"),
    ("2.0", "+Inf"),
    ("0.005", "1.0", "2.5", "5.0", "+Inf"),
    ("+Inf",),
    ("-1.0", "0.0", "+Inf"),
    ("0.0", "1e+06", "+Inf"),
    ("-0.0", "1e-05", "1.0", "+Inf"),
    ("1.0", "1.0", "2.0", "+Inf", "+Inf"),
    ("-2.0", "-0.0", "0.0", "1.0", "+Inf"),
    (),
)

PARTS: Pools = (("0.5", "1.0", "2.0", "5.0", "1e+06", "+Inf", "-1.0", "1", "inf", "-Inf", "count", "1.5"),)
"""Bounds under which counts may still stand, some of which no writer would write so."""

FIELDS = (b'["x"]', b'["x","sum"]', b"[]", b"3", b'["x', b'["\xff"]', b"", b'[ "1.0" ]', b'["1.0" ]', b'["x" , "1.0"]')
"""Fields that are none, or that no writer would write so."""


class Dice(Random):
    """Random choices, which follow from a seed."""

    def pick(self, pools: Pools) -> str:
        """A text of a kind."""
        return self.choice(self.choice(pools))

    def text(self, pools: Pools) -> str:
        """A text of a kind, or now and then any text that UTF-8 can hold, which is not empty."""
        if self.random() < 0.9:
            return self.pick(pools)
        ranges = ((0x20, 0x7E), (0x0, 0xFF), (0x0, 0xD7FF), (0xE000, 0x10FFFF))
        return "".join(chr(self.randint(*self.choice(ranges))) for _ in range(self.randint(1, 6)))

    def label_value(self) -> str:
        """A label's value; seldom a long one, which takes long to read."""
        return self.text(LABEL_VALUES) if self.random() < 0.998 else self.text(LABEL_VALUES) * 4096

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random() < probability

    def some(self, most: int) -> range:
        """As many as this, or fewer."""
        return range(self.randint(0, most))
