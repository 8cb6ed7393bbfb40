"""The tokens that a writer remembers."""

from fleetmeter.writer.tokens import Tokens


def test_each_number_has_its_token_and_0_has_none() -> None:
    """As a row has it; what was never given has no token."""
    tokens = Tokens()
    tokens.append(0x12)
    tokens.append(0xFFFF_FFFF)
    assert [tokens.of(number) for number in range(4)] == ["", "t00000012", "tffffffff", None]


def test_the_newest_are_kept_and_no_more_than_twice_as_many() -> None:
    """Memory does not grow with events."""
    tokens = Tokens(keep=10)
    for number in range(1, 1001):
        tokens.append(number)
        assert all(tokens.of(near) == f"t{near:08x}" for near in range(max(1, number - 9), number + 1))
    assert sum(tokens.of(number) is not None for number in range(1, 1001)) <= 20
