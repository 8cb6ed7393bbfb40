"""Every key of a namespace, built and split here and nowhere else.

All keys share the hash tag `{fm:<namespace>:0}`, so that one script may touch them and Redis Cluster keeps them
together. The 0 leaves room for shards.

| key                            | type | field → value                                                            |
|--------------------------------|------|--------------------------------------------------------------------------|
| `<tag>:writers`                | hash | `@epoch` → `<id> <birth µs> <state format>`, and `reset` after one;      |
|                                |      | `<writer>` → `<applied> <given up> <heartbeat µs> <alive, packed or      |
|                                |      | goodbye>`, and the token of the batch that was applied last, unless      |
|                                |      | there is none;                                                           |
|                                |      | `@swept` → when ended writers were last put away (µs)                    |
| `<tag>:writer:<id>`            | hash | `replica`, `pid`, `version`, `started` of one writer                     |
| `<tag>:retired`                | hash | `<writer>` → `<applied> <given up> <heartbeat µs> <folded at µs>`,       |
|                                |      | and the row's token;                                                     |
|                                |      | `@epoch` → the same as in `writers`: one of them tells that the other    |
|                                |      | was evicted; `@horizon` → newest heartbeat that a row may have had which |
|                                |      | was dropped on purpose or evicted; `@clock` → a time that no row is      |
|                                |      | later than (µs)                                                          |
| `<tag>:families`               | hash | `<family>:<layout>` → `<first µs> <defined µs> <definition, JSON>`       |
| `<tag>:numbers:<family>:<layout>` | string | the numbers of a packed layout: a slot of 8 bytes for each, see      |
|                                |      | `schema/packing.py`                                                      |
| `<tag>:series:<family>:<layout>` | hash | two digits of a series' SHA-1 → 18 more of each such series, and where |
|                                |      | its blocks begin; `@shape <shape>` → its number; `@state` →              |
|                                |      | `<generation> <names> <digest> <slots> <shapes> <series> <dead slots>`   |
| `<tag>:names:<family>:<layout>` | list | what came and went in that layout, oldest first; only appended to, or   |
|                                |      | written anew by a compaction                                             |
| `<tag>:family:<family>:<layout>` | hash | what older writers kept: label values by sorted name, then the bound,  |
|                                |      | `sum` or `count`: a JSON array → a number, whole wherever it can be      |
| `<tag>:gauges`                 | hash | `<writer> [family, layout, [label values]]` → `<set at µs> <value>`;     |
|                                |      | the writer `@folded` has what ended ones left                            |
| `<tag>:exemplars`              | hash | `<family>:<layout> <field of the number>` → `<µs> <exemplar, JSON>`      |
| `<tag>:removed`                | hash | `<family>:<layout>`, or that and a pattern → when it was removed (µs);   |
|                                |      | that and `[[]]` → until when something of it was, which is not noted any |
|                                |      | more                                                                     |
| `<tag>:returned`               | hash | `<family>:<layout>` → when something of it was first removed (µs); that  |
|                                |      | and a field, the `sum` where there is one → when its series came, if     |
|                                |      | later                                                                    |
| `<tag>:sizes`                  | hash | key of a family's numbers → `<label sets> <numbers>` of those that have  |
|                                |      | several numbers per series and more than `max_series` numbers            |
| `<tag>:cache:entries`          | hash | question → `<expiry µs> <entry>`: the gateway's prompt cache             |
| `<tag>:cache:expiry`           | zset | question, scored by its expiry (µs)                                      |
| `<tag>:cache:order`            | zset | question, scored by the time its answer was stored (µs)                  |
| `<tag>:cache:flights`          | hash | question → `<end µs> <token>` of the caller that makes its answer        |
| `<tag>:cache:leases`           | zset | question, scored by that end (µs)                                        |
| `<tag>:circuits`               | hash | deployment → `<state> <changes> <until µs> <openings> <prober>`: the     |
|                                |      | gateway's circuit breakers                                               |
| `<tag>:circuits:calls`         | hash | deployment → `<window> <calls> <failures> <calls before> <failures       |
|                                |      | before> <failures in a row>` of the whole fleet                          |
| `<tag>:keys`                   | hash | id → what an API key of the gateway may, JSON, with a digest of its      |
|                                |      | secret; `revoked:<id>` → when it was revoked (µs); `@version` → a random |
|                                |      | text that is new after each change                                       |
| `<tag>:rates`                  | hash | `<key's id> <limit>/<seconds>` → `<window> <taken> <taken before>`       |
| `<tag>:budget:<window>:<account>` | hash | `@period` → `<start s> <start of the one before>`; `<start> @spent`,  |
|                                |      | `@held`, `@assumed` → nano-dollars of all; `<start> <replica>` → `<call> |
|                                |      | <seen µs> <spent> <held> <assumed>`; `@swept` → µs                       |
| `<tag>:beside:<name>`          | any  | what a program of yours keeps beside, see `reader/gauge_read.py`         |

`fleetmeter doctor` makes the same keys behind `<tag>:doctor:<id>`, and deletes them in the transaction that made them.

Times are the store's own clock, in microseconds since the epoch. A gauge that was set at 0 was created and never set.
"""

import re

from fleetmeter.errors import SettingError
from fleetmeter.excerpt import quoted

STATE_FORMAT = 1
"""Number of this layout; a store that holds another one is not written to and not read."""

EPOCH_FIELD = "@epoch"
"""The field of `writers`, and of `retired`, that is no writer: writer ids never start with `@`."""

HORIZON_FIELD = "@horizon"
"""The field of `retired` with the horizon: the newest heartbeat of any row that was dropped on purpose, or evicted."""

CLOCK_FIELD = "@clock"
"""The field of `retired` with a time that no row is later than, even if the store's clock has gone back since."""

SWEPT_FIELD = "@swept"
"""The field of `writers` that holds when ended writers were last put away."""

FOLDED_WRITER = "@folded"
"""Stands in the writer's place for the remainder: what the gauges of put-away writers left."""

SOMETHING = b"[[]]"
"""Stands for a pattern in `removed`: until that time series went, and it is not noted which; see lua/notes.lua."""

NAMESPACES = "{fm:*:0}:writers"
"""The pattern for SCAN that finds the namespaces of a store; see `namespace_of`."""

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NOTE = re.compile(rb"(.*?:[^: ]+) ([\[{].*)", re.DOTALL)


class Keys:
    """The keys of one namespace; with `aside`, keys in the same slot that nothing else of the namespace has.

    Raises `SettingError` for a name that could leave its hash tag: 1 to 64 of letters, digits, `_`, `.`, `-`.
    """

    def __init__(self, namespace: str, aside: str = "") -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise SettingError(
                "namespace", f"{quoted(namespace)} is not 1 to 64 letters, digits, '_', '.' or '-'; choose such a name"
            )
        self.namespace = namespace
        tag = "{fm:" + namespace + ":0}" + (f":{aside}" if aside else "")
        self.writers = f"{tag}:writers"
        self.retired = f"{tag}:retired"
        self.families = f"{tag}:families"
        self.gauges = f"{tag}:gauges"
        self.exemplars = f"{tag}:exemplars"
        self.removed = f"{tag}:removed"
        self.sizes = f"{tag}:sizes"
        self.returned = f"{tag}:returned"
        self.cache_entries = f"{tag}:cache:entries"
        self.cache_expiry = f"{tag}:cache:expiry"
        self.cache_order = f"{tag}:cache:order"
        self.cache_flights = f"{tag}:cache:flights"
        self.cache_leases = f"{tag}:cache:leases"
        self.circuits = f"{tag}:circuits"
        self.circuit_calls = f"{tag}:circuits:calls"
        self.api_keys = f"{tag}:keys"
        self.rates = f"{tag}:rates"
        self._tag = tag

    @property
    def fixed(self) -> list[str]:
        """The keys that `apply` and `reset` are given in front of the families' own, in this order."""
        return [
            self.writers, self.retired, self.families, self.gauges, self.exemplars, self.removed, self.sizes,
            self.returned,
        ]  # fmt: skip

    def writer(self, writer: str) -> str:
        """The key that says who a writer is."""
        return f"{self._tag}:writer:{writer}"

    def family(self, field: str) -> str:
        """The key that holds the numbers of one layout; `field` is its field in `families`."""
        return f"{self._tag}:family:{field}"

    def packed(self, field: str) -> tuple[str, str, str]:
        """The keys of one packed layout: its numbers, its series and its names; `field` is its field in `families`."""
        return f"{self._tag}:numbers:{field}", f"{self._tag}:series:{field}", f"{self._tag}:names:{field}"

    def budget(self, window: str, account: str) -> str:
        """The key of one account of a budget; `window` is `hour`, `day` or `month`."""
        return f"{self._tag}:budget:{window}:{account}"

    def of_problem(self, place: str) -> str:
        """The key that a `StateError` is about: its `key` has the hash's name, and perhaps a field in brackets."""
        name = place.partition("[")[0] if not place.startswith("family:") else place
        return name if name.startswith(self._tag) else f"{self._tag}:{name}"

    def beside(self, name: str) -> str:
        """A key for something of your own that is to be read together with the counts; a reset keeps it."""
        return f"{self._tag}:beside:{name}"

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns for SCAN that find the keys of all families' numbers, and of all writers."""
        return (f"{self._tag}:family:*", *self.packed("*"), f"{self._tag}:writer:*")


def family_field(name: str, layout: str) -> str:
    """The field of `families` that one layout of a family has."""
    return f"{name}:{layout}"


def family_of_key(key: str) -> str:
    """The name of the family whose numbers stand under a key that `Keys.family` made, or the first of `Keys.packed`."""
    kind = ":0}:numbers:" if ":0}:numbers:" in key else ":0}:family:"
    return split_family_field(key.partition(kind)[2])[0]


def split_family_field(field: str) -> tuple[str, str]:
    """Family name and layout; a name may itself hold colons."""
    name, _, layout = field.rpartition(":")
    return name, layout


def split_note(raw: bytes) -> tuple[str, bytes]:
    """The field of `families` that a note begins with, and the JSON behind it: empty for a note about a whole layout.

    A family's name may hold spaces; a layout does not.
    """
    found = _NOTE.fullmatch(raw)
    layout, rest = found.groups() if found else (raw, b"")
    return layout.decode("utf-8", "replace"), rest


def layout_of_note(raw: bytes) -> bytes:
    """The field of `families` that a note of `removed` is about, by the rule of lua/notes.lua.

    A note that does not fit the rule is returned as it is.
    """
    found = _NOTE.fullmatch(raw)
    return found[1] if found and found[2].startswith(b"[") else raw


def namespace_of(key: bytes) -> str | None:
    """The namespace whose `writers` this key is; None for any other key."""
    head, tail = NAMESPACES.split("*")
    name = key.decode("utf-8", "replace").removeprefix(head).removesuffix(tail)
    return name if _NAMESPACE.fullmatch(name) and Keys(name).writers.encode() == key else None
