"""What has to hold of the running stack. Each check returns what it saw, or raises `AssertionError`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import yaml

from drill.receiver import Receiver
from fleetmeter.watching.totals import Totals
from fleetmeter_app.upstream.ledger import Ledger
from stack.compose import ROOT
from stack.stage import Stage
from support.exposition import parse

QUESTIONS = 30


class Checks:
    """The checks, in the order in which they run."""

    def __init__(self, stage: Stage, receiver: Receiver) -> None:
        self._stage = stage
        self._receiver = receiver
        self._client = httpx.Client(trust_env=False, timeout=30.0)
        self._api = f"http://{stage.address('load-balancer', 'edge')}:8080"
        self._prometheus = f"http://{stage.address('prometheus', 'metrics')}:9090"

    def all(self) -> list[Callable[[], str]]:
        """Every check."""
        return [
            self.questions, self.money, self.hidden, self.targets, self.rules, self.networks, self.published,
            self.rights, self.store, self.alert,
        ]  # fmt: skip

    def questions(self) -> str:
        """The published address answers, by every gateway."""
        for number in range(QUESTIONS):
            answer = self._client.post(f"{self._api}/ask", json={"query": f"TSLA price {number}"})
            assert answer.status_code == 200, answer.text
        assert len(self._answered()) == 3, self._answered()
        return f"{QUESTIONS} questions answered through the load balancer, by {self._answered()}"

    def _answered(self) -> dict[str, int]:
        """Answers by gateway, as the load balancer counts them; its health checks are not among them."""
        text = self._client.get(f"http://{self._stage.address('load-balancer', 'metrics')}:8405/metrics").text
        wanted = {"proxy": "gateways", "code": "2xx"}.items()
        return {
            dict(labels)["server"]: int(value)
            for (name, labels), value in parse(text).items()
            if name == "haproxy_server_http_responses_total" and wanted <= labels and value
        }

    def money(self) -> str:
        """The exporter shows what the models have billed, to the last nano-dollar."""
        ledger = Ledger.from_json(self._client.get(f"{self._stage.upstream}/ledger").json()).total()

        def equal() -> bool:
            return self._cost() == ledger.delivered.nanodollars

        self._stage.wait(equal, f"the exporter shows the ledger's {ledger.delivered.nanodollars} nano-dollars")
        assert ledger.delivered.nanodollars > 0
        return f"the exporter and the models' ledger agree on {ledger.delivered.nanodollars / 1e9:.9f} USD"

    def hidden(self) -> str:
        """No spelling of /metrics comes through the load balancer."""
        for path in ("/metrics", "/metrics/", "/%6detrics", "/METRICS", "/metrics?name[]=up"):
            status = self._client.get(self._api + path).status_code
            assert status == 404, f"{path} is answered with {status}"
        return "/metrics is not published, in any spelling"

    def targets(self) -> str:
        """Prometheus finds every job of its configuration up."""
        jobs = [job["job_name"] for job in _yaml("deploy/compose/prometheus.yml")["scrape_configs"]]

        def up() -> list[str]:
            return [one["labels"]["job"] for one in self._get("targets")["activeTargets"] if one["health"] == "up"]

        self._stage.wait(lambda: sorted(up()) == sorted(jobs), f"the jobs {jobs} are up")
        return f"targets up: {', '.join(sorted(up()))}"

    def rules(self) -> str:
        """Every group and rule of prometheus/rules is loaded, evaluated and without an error."""
        files = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
        wanted = [group for file in files for group in _yaml(str(file.relative_to(ROOT)))["groups"]]

        def evaluated() -> bool:
            loaded = self._get("rules")["groups"]
            assert sorted(group["name"] for group in loaded) == sorted(group["name"] for group in wanted)
            healths = [rule["health"] for group in loaded for rule in group["rules"]]
            assert "err" not in healths, loaded
            return len(healths) == sum(len(group["rules"]) for group in wanted) and set(healths) == {"ok"}

        self._stage.wait(evaluated, "all rules are evaluated")
        (manager,) = self._get("alertmanagers")["activeAlertmanagers"]
        return f"{sum(len(group['rules']) for group in wanted)} rules of {len(files)} files ok; tells {manager['url']}"

    def networks(self) -> str:
        """Who shares no network with a service knows neither its name nor a way to its address."""
        hosts = {name: container.host for name, container in self._stage.containers.items()}
        apart = 0
        for name, container in self._stage.containers.items():
            for other in hosts.values():
                if other.name == name or set(other.addresses) & set(hosts[name].addresses):
                    continue
                reached = container.run("/usr/bin/getent", "hosts", other.service)
                assert reached.returncode != 0, f"{name} knows {other.service}: {reached.stdout}"
                address = next(iter(other.addresses.values()))
                tried = container.run(
                    "/usr/bin/wget", "-q", "-T", "1", "-t", "1", "-O", "-", f"http://{address}:{_port(other.service)}/"
                )
                assert tried.returncode == 4, f"{name} reaches {other.name} at {address}: {tried}"  # 4: network failure
                apart += 1
        assert apart > 0
        return f"{apart} pairs of containers that share no network cannot reach each other"

    def published(self) -> str:
        """Only the load balancer and Grafana have a port of the machine, on its loopback."""
        ports = {name: service.published for name, service in self._stage.stack.services.items() if service.published}
        assert ports.keys() == {"load-balancer", "grafana"}
        assert {address for entries in ports.values() for address, _, _ in entries} == {"127.0.0.1"}
        return f"published: {', '.join(sorted(ports))}, on 127.0.0.1"

    def rights(self) -> str:
        """Nobody is root, no root can be written to, and no user of the store can do more than its work."""
        for name, container in self._stage.containers.items():
            assert container.run("/usr/bin/id", "-u").stdout.strip() != "0", name
            assert container.run("/usr/bin/touch", "/file").returncode != 0, f"{name} can write to its root"
        valkey = self._stage.containers["valkey"]
        script = 'REDISCLI_AUTH="$(cat /run/secrets/exporter_password)" valkey-cli --user fleetmeter-exporter "$@"'
        for command in (["SET", "x", "1"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["KEYS", "*"]):
            refused = valkey.run("/bin/sh", "-c", script, "sh", *command).stdout
            assert "NOPERM" in refused, f"{command}: {refused}"
        assert "NOAUTH" in valkey.run("valkey-cli", "PING").stdout
        doctor = self._stage.containers["gateway-1"].run("fleetmeter", "doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        last = doctor.stdout.strip().splitlines()[-1]
        return f"no root, roots read-only, NOAUTH and NOPERM for strangers; fleetmeter doctor as a gateway: {last}"

    def store(self) -> str:
        """A store that ends and starts again has what it had."""
        before = self._cost()
        valkey = self._stage.containers["valkey"]
        assert valkey.stop() == 0
        valkey.start()
        self._stage.wait(valkey.healthy, "the store is healthy again", valkey)
        self._stage.wait(lambda: "\nfleetmeter_up 1" in self._metrics(), "the exporter reads the store again")
        after = self._cost()
        assert after == before
        return f"the store ended and started again with its {after / 1e9:.9f} USD"

    def alert(self) -> str:
        """An exporter that ends makes ExporterDown fire after a minute, and that arrives at the webhook."""
        exporter = self._stage.containers["exporter"]
        assert exporter.stop() == 0
        told = self._receiver.told
        self._stage.wait(lambda: any(one.alert == "ExporterDown" for one in told(0)), "ExporterDown arrives")
        names = sorted({one.alert for one in told(0)})
        assert names == ["ExporterDown"], names
        exporter.start()
        self._stage.wait(exporter.healthy, "the exporter is healthy again", exporter)
        return "ExporterDown, and nothing else, arrived at the webhook"

    def _cost(self) -> int:
        return Totals.parse(self._metrics()).nanodollars("openai_total_cost_usd_total")

    def _metrics(self) -> str:
        """The exporter's page; one that has started just now is waited for."""
        url = f"http://{self._stage.address('exporter', 'metrics')}:9847/metrics"
        self._stage.wait(lambda: self._client.get(url).status_code == 200, "the exporter has read the store")
        return self._client.get(url).text

    def _get(self, what: str) -> dict[str, list[dict[str, Any]]]:
        answer = self._client.get(f"{self._prometheus}/api/v1/{quote(what)}").raise_for_status().json()
        return dict(answer["data"])


def _port(service: str) -> int:
    ports = {"valkey": 6379, "gateway": 8000, "load-balancer": 8405, "exporter": 9847, "prometheus": 9090}
    return ports.get(service, 9093)


def _yaml(path: str) -> dict[str, list[dict[str, Any]]]:
    return dict(yaml.safe_load(Path(ROOT / path).read_text(encoding="utf-8")))
