"""Keys: one hash tag, nothing that leaves it."""

import pytest

from fleetmeter.errors import SettingError
from fleetmeter.schema.keys import Keys, family_field, split_family_field


def test_every_key_of_a_namespace_carries_one_hash_tag() -> None:
    """A script may touch all keys of a namespace, in a cluster too."""
    keys = Keys("shop")
    found = [
        keys.writers, keys.retired, keys.families, keys.gauges, keys.exemplars, keys.cache_entries,
        keys.cache_expiry, keys.cache_order, keys.cache_flights, keys.cache_leases,
        keys.writer("w"), keys.family("a:b"), keys.circuits, keys.circuit_calls,
        keys.api_keys, keys.rates, keys.budget("day", "a"),
    ]  # fmt: skip
    assert {key[: key.index("}") + 1] for key in found} == {"{fm:shop:0}"}
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", ["", "a}b", "{a", "a b", "a:b", "ä", "x" * 65, "a\n", "*"])
def test_a_namespace_that_could_leave_its_tag_is_refused(name: str) -> None:
    """A namespace is 1 to 64 of letters, digits, `_`, `.`, `-`, and the error says so."""
    with pytest.raises(SettingError, match="1 to 64 letters") as caught:
        Keys(name)
    assert caught.value.setting == "namespace"


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "x" * 64])
def test_usual_namespaces_are_taken(name: str) -> None:
    """Names of the allowed characters, up to the longest, work."""
    assert Keys(name).namespace == name


def test_a_family_whose_name_holds_colons_is_split_at_its_layout() -> None:
    """Recording-rule names hold colons; the layout is what stands behind the last one."""
    assert split_family_field(family_field("job:requests:rate", "0123abcd")) == ("job:requests:rate", "0123abcd")
