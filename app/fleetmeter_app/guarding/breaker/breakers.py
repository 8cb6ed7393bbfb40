"""The circuit breakers of one replica: asked from memory, shared with all others in the background."""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, cast

from fleetmeter.errors import StoreError
from fleetmeter.llm.guards import create_guard_children, record_circuit_change, record_circuit_state
from fleetmeter.llm.vocabulary import CIRCUIT_STATES
from fleetmeter_app.guarding.background import Background
from fleetmeter_app.guarding.breaker.circuit import Circuit, State, Told
from fleetmeter_app.guarding.breaker.config import BreakerConfig
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.store.script import Script

log = logging.getLogger("fleetmeter.app")

_REPORT = Script("circuit_report")

REFRESHED = 0.5
"""Seconds between two looks at the store. What one replica changes, all know after this and one round trip."""


class Breakers:
    """Says whether a deployment may be called. Never waits, and never fails: without the store it goes on alone.

    `deployments` are all that there are, and the model behind each.
    """

    def __init__(
        self,
        door: Door,
        config: BreakerConfig,
        deployments: Mapping[str, str],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._door = door
        self._clock = clock
        self._replica = secrets.token_hex(8)
        self._circuits: dict[str, Circuit] = {}
        self._background = Background(self._refresh)
        self._away = False
        self.configure(config, deployments)

    def configure(self, config: BreakerConfig, deployments: Mapping[str, str]) -> None:
        """Take other rules and deployments; those that stay keep their state."""
        self._config = config
        self._rules = json.dumps(
            {
                "row": config.consecutive_failures,
                "share": config.failure_share,
                "least": config.minimum_calls,
                "window": round(config.window_seconds * 1e6),
                "open": round(config.open_seconds * 1e6),
                "longest": round(config.longest_seconds * 1e6),
                "probe": round(config.probe_seconds * 1e6),
            }
        )
        self._circuits = {name: self._circuits.get(name) or Circuit(name, model) for name, model in deployments.items()}
        create_guard_children(models=set(deployments.values()))
        self._show()

    async def start(self) -> None:
        """Begin to share."""
        self._background.start()

    async def close(self) -> None:
        """Stop, after what changed here was told."""
        begun = await self._background.stop()
        if begun and not self._away and any(circuit.change for circuit in self._circuits.values()):
            await self._share()

    def refuses(self, deployment: str) -> float | None:
        """None if a deployment may be called now, else the seconds until the next try. From memory.

        Whoever then calls it says so with `begins`: of a half-open circuit one call passes, in the whole fleet.
        """
        circuit = self._circuits.get(deployment)
        if circuit is None or circuit.state == "closed":
            return None
        refused = circuit.refuses(self._clock())
        if circuit.wanted:
            if self._away:
                circuit.probe_alone(self._config, self._clock())
            self._background.wake()
        return refused

    def begins(self, deployment: str) -> None:
        """A call of this deployment begins: if it is the probe, no other passes until it ends."""
        circuit = self._circuits.get(deployment)
        if circuit is not None and circuit.ours:
            circuit.probing = True

    def report(self, deployment: str, *, failed: bool, retry_after: float | None = None) -> None:
        """A call of this deployment ended. `retry_after` is what it answered, in seconds.

        `failed` is for what speaks against the deployment: no answer, 408, 429 and 5xx; not for a refused request.
        """
        circuit = self._circuits.get(deployment)
        if circuit is None:
            return
        if circuit.report(self._config, self._clock(), failed=failed, retry_after=retry_after):
            self._background.wake()
            self._show()

    def abandon(self, deployment: str) -> None:
        """A call of this deployment ended and says nothing about it, as its client left: a probe may be made again."""
        circuit = self._circuits.get(deployment)
        if circuit is not None and circuit.ours:
            circuit.probing = False

    def state(self, deployment: str) -> State:
        """The state of one circuit, as far as this replica knows."""
        circuit = self._circuits.get(deployment)
        return "closed" if circuit is None else circuit.state

    async def _refresh(self) -> float:
        if self._away:  # whoever wakes it, the store is not asked more often
            await asyncio.sleep(REFRESHED)
        await self._share()
        return REFRESHED

    async def _share(self) -> None:
        """Tell the store what happened here, and take in what happened elsewhere."""
        now = self._clock()
        circuits = dict(self._circuits)
        sent = {name: circuit.change for name, circuit in circuits.items()}
        events = [event for circuit in circuits.values() for event in circuit.take_events(now)]
        keys = self._door.keys
        try:
            reply = await self._door.call(
                _REPORT, [keys.circuits, keys.circuit_calls], [self._replica, self._rules, json.dumps(events)]
            )
            time_us, changes, fields = reply
            told = _told(fields, int(time_us), self._clock())
        except Exception as error:
            if not isinstance(error, StoreError):  # the door has told of those
                log.exception("circuit breakers: the store's answer cannot be used")
            self._away = True
            return
        self._away = False
        nothing = Told("closed", 0, 0.0, "-")
        news = [
            circuit
            for name, circuit in circuits.items()
            if circuit.told(told.get(name, nothing), sent[name], self._replica)
        ]
        for deployment, state in zip(changes[::2], changes[1::2], strict=True):
            self._tell(deployment.decode("utf-8", "replace"), state.decode())
        if news:
            self._show()

    def _tell(self, deployment: str, state: str) -> None:
        circuit = self._circuits.get(deployment)
        if circuit is not None:
            record_circuit_change(circuit.model, state)
            log.warning("the circuit of deployment %s is %s", deployment, state)

    def _show(self) -> None:
        """A model's state is that of the best of its deployments: as long as one is closed, calls pass."""
        best: dict[str, int] = {}
        for circuit in self._circuits.values():
            place = CIRCUIT_STATES.index(circuit.state)
            best[circuit.model] = min(place, best.get(circuit.model, place))
        for model, place in best.items():
            record_circuit_state(model, CIRCUIT_STATES[place])


def _told(fields: Any, time_us: int, now: float) -> dict[str, Told]:
    """The circuits as they are stored, with times by this process's clock; one that cannot be read is left out."""
    found = {}
    for name, text in zip(fields[::2], fields[1::2], strict=True):
        parts = text.decode("utf-8", "replace").split(" ")
        if len(parts) == 5 and parts[0] in CIRCUIT_STATES and parts[1].isdecimal() and parts[2].isdecimal():
            state, changes, until, _, prober = parts
            seconds = (int(until) - time_us) / 1e6
            found[name.decode("utf-8", "replace")] = Told(cast("State", state), int(changes), now + seconds, prober)
    return found
