"""API keys on a real server: made once, kept as digests, checked from memory, refused everywhere once revoked."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fleetmeter.cli.command import main
from fleetmeter.errors import StoreUnreachable as StoreAway
from fleetmeter.llm import catalogue
from fleetmeter_app.errors import ApiError
from fleetmeter_app.guarding.caller import ANONYMOUS, Caller
from fleetmeter_app.guarding.keys.keys import REVOKED_WITHIN, Keys
from fleetmeter_app.guarding.keys.record import KeyRecord
from fleetmeter_app.guarding.keys.secret import Secret
from fleetmeter_app.guarding.rates.rate import Rate
from support.commands import command
from support.guards import checked, until
from support.store import StoreAddress


def made(store: StoreAddress, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """A new key, as the command line prints it."""
    capsys.readouterr()
    assert main(with_target(store, "create", *words)) == 0
    return capsys.readouterr().out.strip()


def with_target(store: StoreAddress, action: str, *words: str) -> list[str]:
    """The command line of an action of `keys`."""
    return ["keys", action, "--url", store.url, "--namespace", store.namespace, *words]


def use(store: StoreAddress, work: Callable[[Keys], Awaitable[Any]], url: str = "", **options: Any) -> Any:
    """What `work` returns for one replica's check."""

    async def run() -> Any:
        async with checked(store, url, wait=1.0 if url else 30.0, **options) as keys:
            return await work(keys)

    return asyncio.run(run())


async def refused(keys: Keys, authorization: str | None) -> ApiError:
    """The error that a header is refused with."""
    with pytest.raises(ApiError) as caught:
        await keys.caller(authorization)
    return caught.value


def rejections(reason: str) -> float:
    """How many requests were refused for this reason."""
    return float(catalogue.GATEWAY_KEY_REJECTIONS.labels(reason)._value.get())


def test_a_key_says_who_asks(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Team, models, tenant, rate and budgets are the holder's; without a tenant the team is."""
    words = ["--team", "search", "--model", "gpt-6*", "--model", "x", "--rate", "5/minute", "--budget", "pilot"]
    text = made(store, capsys, *words)
    caller = use(store, lambda keys: keys.caller(f"Bearer {text}"))
    key_id = text.split("-")[2]
    assert caller == Caller(key_id, "search", frozenset(("gpt-6*", "x")), "search", ("pilot",), (Rate(5, 60),))
    assert [caller.may_ask(name) for name in ("gpt-6-luna", "x", "xy", "gpt-5")] == [True, True, False, False]
    alone = use(store, lambda keys: keys.caller(f"bearer  {made(store, capsys)}"))
    assert (alone.team, alone.tenant, alone.models) == ("", f"key:{alone.key_id}", None)
    assert alone.may_ask("anything")


def test_the_key_itself_is_stored_nowhere(store: StoreAddress, capsys: pytest.CaptureFixture[str], client: Any) -> None:
    """The store has a digest of 256 random bits; neither a listing nor a repr shows more than the id."""
    text = made(store, capsys, "--name", "ci")
    secret = text.rpartition("-")[2]
    assert len(secret) == 43
    stored = b" ".join(part for pair in client.hgetall(store.keys.api_keys).items() for part in pair)
    assert secret.encode() not in stored
    assert main(with_target(store, "list")) == 0
    assert main(with_target(store, "list", "--json")) == 0
    assert secret not in capsys.readouterr().out
    parsed = Secret.parse(text)
    assert parsed is not None
    assert secret not in repr(parsed)
    assert parsed.text == text
    assert made(store, capsys) != made(store, capsys)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing"),
        ("", "malformed"),
        ("Bearer", "malformed"),
        ("Bearer sk-1234", "malformed"),
        ("Basic {key}", "malformed"),
        ("Bearer {key}x", "malformed"),
        ("Bearer {key}\n", "ok"),
        ("Bearer {forged}", "unknown"),
        ("Bearer {unknown}", "unknown"),
        ("Bearer {key} {key}", "malformed"),
        ("Bearer " + "x" * 100_000, "malformed"),
        ("Bearer sk-fm-ääääääääääää-" + "ä" * 43, "malformed"),
    ],
)
def test_forged_keys_are_refused(
    store: StoreAddress, capsys: pytest.CaptureFixture[str], header: str | None, reason: str
) -> None:
    """Each is a 401 in OpenAI's shape that quotes nothing of what was sent, and is counted by its reason."""
    key = made(store, capsys)
    unknown = Secret.new().text
    forged = key[:-1] + ("a" if key[-1] != "a" else "b")
    sent = header and header.replace("{key}", key).replace("{forged}", forged).replace("{unknown}", unknown)
    if reason == "ok":
        assert use(store, lambda keys: keys.caller(sent)).key_id
        return
    before = rejections(reason)
    error = use(store, lambda keys: refused(keys, sent))
    assert (error.status, error.code, error.type) == (401, "invalid_api_key", "invalid_request_error")
    assert error.headers()["x-should-retry"] == "false"
    assert "sk-" not in str(error.body())
    assert rejections(reason) == before + 1


def test_a_revoked_key_is_refused_everywhere_in_time(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Two replicas that have used a key refuse it within the stated time after it was revoked, and say why."""
    text = made(store, capsys)
    header = f"Bearer {text}"

    async def run() -> None:
        async with checked(store) as one, checked(store) as two:
            for keys in (one, two):
                await keys.caller(header)
            assert main(with_target(store, "revoke", text.split("-")[2])) == 0
            async with asyncio.timeout(REVOKED_WITHIN):
                for keys in (one, two):
                    while not await is_refused(keys):
                        pass
            assert "revoked" in (await refused(one, header)).message

    async def is_refused(keys: Keys) -> bool:
        await asyncio.sleep(0.02)
        try:
            await keys.caller(header)
        except ApiError:
            return True
        return False

    asyncio.run(run())


def test_a_revoked_key_stays_so_when_the_store_goes_back(
    store: StoreAddress, capsys: pytest.CaptureFixture[str], client: Any
) -> None:
    """A replica that has seen a key revoked does not take it again, whatever the store says later."""
    text = made(store, capsys)
    old = client.dump(store.keys.api_keys)
    assert main(with_target(store, "revoke", text.split("-")[2])) == 0

    async def work(keys: Keys) -> None:
        await refused(keys, f"Bearer {text}")
        version = keys.keyring._version
        client.delete(store.keys.api_keys)
        client.restore(store.keys.api_keys, 0, old)
        await until(lambda: keys.keyring._version != version)
        assert "revoked" in (await refused(keys, f"Bearer {text}")).message

    use(store, work)


def test_a_new_key_works_at_once(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """A replica that does not know a key looks for it, a few times a second at most, however many forged ones come."""
    made(store, capsys)

    async def work(keys: Keys) -> None:
        await until(lambda: keys.keyring.known)
        await asyncio.sleep(0.25)
        text = made(store, capsys)
        assert (await keys.caller(f"Bearer {text}")).key_id == text.split("-")[2]
        looks = 0
        read = keys.keyring._refresh

        async def counting() -> None:
            nonlocal looks
            looks += 1
            await read()

        keys.keyring._refresh = counting  # type: ignore[method-assign]
        await asyncio.gather(*(refused(keys, f"Bearer {Secret.new().text}") for _ in range(500)))
        assert looks <= 20

    use(store, work)


def test_without_keys_only_this_machine_is_served(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """While no key was created, everybody is anonymous where only this machine reaches; elsewhere nobody is served."""
    assert use(store, lambda keys: keys.caller(None)) is ANONYMOUS
    assert use(store, lambda keys: keys.caller("Bearer sk-anything")) is ANONYMOUS
    strict: list[dict[str, Any]] = [{"open_without_keys": False}, {"required": True}]
    for options in strict:
        error = use(store, lambda keys: refused(keys, None), **options)
        assert (error.status, error.code) == (401, "invalid_api_key")
        assert "fleetmeter keys create" in error.message
    text = made(store, capsys)
    for options in [{}, *strict]:
        use(store, lambda keys: refused(keys, None), **options)
        assert use(store, lambda keys: keys.caller(f"Bearer {text}"), **options).key_id


def test_revoking_the_last_key_opens_nothing(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """A namespace that ever had a key asks for one."""
    text = made(store, capsys)
    assert main(with_target(store, "revoke", text.split("-")[2])) == 0
    assert use(store, lambda keys: refused(keys, None)).status == 401


def test_while_the_store_is_away_the_known_keys_hold(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """With `fail_open` what was known last decides; else all are refused once it is older than the stated time."""
    text = made(store, capsys)

    async def away(keys: Keys) -> None:
        await keys.caller(f"Bearer {text}")

        async def lost() -> None:
            raise StoreAway("unreachable", "gone")

        keys.keyring._refresh = lost  # type: ignore[method-assign]
        keys.keyring.fresh_at -= REVOKED_WITHIN + 1

    async def open_work(keys: Keys) -> Caller:
        await away(keys)
        return await keys.caller(f"Bearer {text}")

    async def closed_work(keys: Keys) -> ApiError:
        await away(keys)
        return await refused(keys, f"Bearer {text}")

    assert use(store, open_work).key_id
    assert use(store, closed_work, fail_open=False).status == 503


@pytest.mark.parametrize(
    ("options", "status"),
    [({}, 200), ({"fail_open": False}, 503), ({"required": True}, 503), ({"open_without_keys": False}, 503)],
)
def test_a_replica_that_never_saw_the_store(store: StoreAddress, options: dict[str, Any], status: int) -> None:
    """Where only this machine reaches it serves by `fail_open`; everywhere else it lets nobody in before it knows."""

    async def work(keys: Keys) -> int:
        try:
            await keys.caller("Bearer sk-anything")
        except ApiError as error:
            return error.status
        return 200

    assert use(store, work, "redis://127.0.0.1:1/0", **options) == status


def test_a_record_that_cannot_be_read_lets_nobody_in(
    store: StoreAddress, capsys: pytest.CaptureFixture[str], client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever stands in the place of a record, its key is refused, all others work, and the log names it."""
    good, broken = made(store, capsys), made(store, capsys)
    key_id = broken.split("-")[2]
    for text in ("", "{", "[]", '{"digest": 1}', json.dumps({"digest": "x", "rate": "soon"})):
        client.hset(store.keys.api_keys, key_id, text)
        client.hset(store.keys.api_keys, "@version", text)
        with caplog.at_level(logging.ERROR, "fleetmeter.app"):
            assert use(store, lambda keys: refused(keys, f"Bearer {broken}")).status == 401
        assert use(store, lambda keys: keys.caller(f"Bearer {good}")).key_id
        assert key_id in caplog.text


def test_a_record_of_a_later_version_is_read() -> None:
    """A field that is not known is passed over, so that two versions can share keys in a rolling deploy."""
    record = KeyRecord("d", models=("m",))
    assert KeyRecord.from_json(json.dumps({**json.loads(record.to_json()), "later": 1})) == record


# the command line


def test_keys_are_listed_with_what_they_may(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Each key by its id, newest last, with when it was created and revoked; JSON has the same."""
    assert main(with_target(store, "list")) == 0
    assert "no keys in namespace" in capsys.readouterr().out
    first = made(store, capsys, "--name", "ci", "--team", "search", "--rate", "5/minute", "--model", "m")
    second = made(store, capsys).split("-")[2]
    key_id = first.split("-")[2]
    assert main(with_target(store, "revoke", second)) == 0
    assert capsys.readouterr().out == f"{second} is revoked\n"
    assert main(with_target(store, "list")) == 0
    head, one, two = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "NAME", "TEAM", "TENANT", "MODELS", "RATE", "BUDGETS", "CREATED", "REVOKED"]
    assert one.startswith(f"{key_id}  ci    search")
    assert two.split()[0] == second
    assert main(with_target(store, "list", "--json")) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(key["id"], key["revoked"] is None) for key in listed] == [(key_id, True), (second, False)]


def test_revoking_says_what_it_found(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """A second time changes nothing; an id that nobody has is an error, and so is what is no id."""
    key_id = made(store, capsys).split("-")[2]
    for expected in ("is revoked", "was revoked already"):
        assert main(with_target(store, "revoke", key_id)) == 0
        assert capsys.readouterr().out == f"{key_id} {expected}\n"
    assert main(with_target(store, "revoke", "nobody")) == 1
    assert "there is no key 'nobody'" in capsys.readouterr().err
    assert main(with_target(store, "revoke", "@version")) == 2


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--rate", "often"), "--rate: 'often' is no rate"),
        (("--team", "a\nb"), "--team:"),
        (("--name", "x" * 65), "--name:"),
        (("--model", ""), "--model:"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    store: StoreAddress, capsys: pytest.CaptureFixture[str], client: Any, words: tuple[str, str], problem: str
) -> None:
    """Status 2, the flag's name, and no key."""
    assert main(with_target(store, "create", *words)) == 2
    assert problem in capsys.readouterr().err
    assert not client.exists(store.keys.api_keys)


def test_a_reset_keeps_keys_budgets_and_circuits(
    store: StoreAddress, capsys: pytest.CaptureFixture[str], client: Any
) -> None:
    """What counts begins anew; who may ask, what was spent and which deployments fail does not."""
    made(store, capsys)
    kept = (store.keys.budget("day", "all"), store.keys.circuits, store.keys.circuit_calls, store.keys.rates)
    for key in kept:
        client.hset(key, "field", "value")
    assert command(store, "reset", "--yes") == 0
    assert client.exists(store.keys.api_keys, *kept) == 5
