"""A real Prometheus that scrapes the exporter over TLS, with a client certificate and a password."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from fleetmeter.schema.definition import Definition
from support.gateway import Programs, eventually
from support.scraping import FixedState
from support.store import StoreAddress
from support.tls import Authority
from support.upstream import free_port

WEB = """
tls_server_config:
  cert_file: exporter.pem
  key_file: exporter.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  min_version: TLS13
http_server_config:
  headers: {Strict-Transport-Security: max-age=600}
basic_auth_users:
  prometheus: HASH
"""
JOB = """
  - job_name: NAME
    scheme: SCHEME
    basic_auth: {username: prometheus, password: PASSWORD}
    static_configs: [{targets: [TARGET]}]
"""
CLIENT = "    tls_config: {ca_file: FOLDER/ca.pem, server_name: localhost, cert_file: CERT.pem, key_file: CERT.key}\n"


def job(name: str, target: str, folder: Path, *, scheme: str = "https", password: str = "pass", cert: str = "") -> str:
    """A scrape configuration."""
    text = JOB + (CLIENT if cert else CLIENT.partition(", cert_file")[0] + "}\n")
    words = {"NAME": name, "SCHEME": scheme, "PASSWORD": password, "TARGET": target, "FOLDER": folder, "CERT": cert}
    for word, value in words.items():
        text = text.replace(word, str(value))
    return text


def test_prometheus_scrapes_over_tls(store: StoreAddress, binary: Callable[[str], str], tmp_path: Path) -> None:
    """Certificate and password come in, renewed ones too; a wrong password, certificate or scheme does not."""
    authority = Authority(tmp_path, "ca")
    authority.issue("exporter")
    authority.issue("client")
    (tmp_path / "strange").mkdir()
    Authority(tmp_path / "strange", "strange-ca").issue("stranger")
    web = tmp_path / "web.yml"
    web.write_text(WEB.replace("HASH", bcrypt.hashpw(b"pass", bcrypt.gensalt(10)).decode()))
    with FixedState(store) as fixed, Programs() as programs:
        fixed.family(Definition.of("requests", "counter", "Requests.", "", [], [], ""), {(): 7})
        exporter = programs.exporter(store, f"--web.config.file={web}")
        target = exporter.address().removeprefix("https://")
        client, stranger = str(tmp_path / "client"), str(tmp_path / "strange" / "stranger")
        config = tmp_path / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:"
            + job("right", target, tmp_path, cert=client)
            + job("password", target, tmp_path, cert=client, password="wrong")
            + job("none", target, tmp_path)
            + job("stranger", target, tmp_path, cert=stranger)
            + job("plain", target, tmp_path, scheme="http", cert=client)
        )
        address = f"127.0.0.1:{free_port()}"
        flags = [
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address={address}",
        ]
        prometheus = programs.run([binary("prometheus"), *flags])

        def query(expression: str) -> dict[str, float]:
            try:
                parameters = {"query": expression}
                answer = httpx.get(f"http://{address}/api/v1/query", params=parameters).raise_for_status()
            except httpx.HTTPError:  # it still starts
                return {}
            results: Any = answer.json()["data"]["result"]
            return {result["metric"]["job"]: float(result["value"][1]) for result in results}

        wanted = {"right": 1.0, "password": 0.0, "none": 0.0, "stranger": 0.0, "plain": 0.0}
        assert eventually(lambda: query("up") == wanted and query("requests_total") == {"right": 7.0}, 40), (
            prometheus.output()
        )
        errors = {
            found["labels"]["job"]: found["lastError"]
            for found in httpx.get(f"http://{address}/api/v1/targets").json()["data"]["activeTargets"]
        }
        assert "401" in errors.pop("password")
        assert errors.pop("right") == ""
        assert all(errors.values())
        authority.issue("exporter")
        authority.issue("client")
        before = query("count_over_time(up[1h])")["right"]  # while both files were written, one did not fit the other
        assert eventually(lambda: query("count_over_time(up[1h])").get("right", 0) >= before + 6)
        assert "the web configuration has changed and is in force" in exporter.output()
        assert query("sum by (job) (max_over_time(up[1h]))") == wanted
        assert query("min_over_time(requests_total[1h])") == {"right": 7.0}
        assert query("sum_over_time(up[4s]) / count_over_time(up[4s])")["right"] == pytest.approx(1.0)
        prometheus.end()
        assert exporter.end() == 0
        assert "pass" not in exporter.output()
