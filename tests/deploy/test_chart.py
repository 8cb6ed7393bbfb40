"""The Helm chart: its values are checked, everything that it renders is valid, and says what the documentation says."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

import fleetmeter
from fleetmeter_app.config.settings import AppSettings
from support.programs import program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "fleetmeter"
KUBERNETES = ("1.30", "1.34", "1.37")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The dashboards take the other one a second."""
OPERATOR = "monitoring.coreos.com/v1"

KEY = {"gateway": {"upstream": {"existingSecret": "models"}}}
"""The least that has to be said."""
EVERYTHING: dict[str, Any] = {
    "fullnameOverride": "llm",
    "imagePullSecrets": [{"name": "registry"}],
    "store": {
        "url": "rediss+sentinel://a,b,c/mymaster/0",
        "writer": {"existingSecret": "store", "secretKey": "writer"},
        "reader": {"password": "p'a\"s: s"},
    },
    "exporter": {
        "args": ["--openmetrics.created"],
        "env": [{"name": "FLEETMETER_EXPORTER_LOG_FORMAT", "value": "json"}],
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "x", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "gateway": {
        "config": (ROOT / "app" / "fleetmeter_app" / "gateway.toml").read_text(encoding="utf-8"),
        "upstream": {"apiKey": "sk-test"},
        "env": [{"name": "FLEETMETER_APP_LOG_FORMAT", "value": "json"}],
        "maxUnavailable": "30%",
        "tolerations": [{"key": "x", "operator": "Exists"}],
        "service": {"type": "LoadBalancer", "port": 8080},
    },
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "rules": {"enabled": True, "thresholds": {"fleetmeter:cost_usd_per_hour:threshold": 25.5}},
        "dashboards": {"enabled": True},
    },
    "networkPolicy": {
        "scrapers": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "callers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "store": [{"podSelector": {"matchLabels": {"app": "valkey"}}}],
    },
    "serviceAccount": {"annotations": {"a": "b"}},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "least": KEY,
    "everything": EVERYTHING,
    "exporter alone": {"gateway": {"enabled": False}},
    "gateway alone": {**KEY, "exporter": {"enabled": False}},
    "no autoscaler, no policy, no account": {
        "gateway": {**KEY["gateway"], "autoscaling": {"enabled": False}, "replicas": 5},
        "networkPolicy": {"enabled": False},
        "serviceAccount": {"create": False},
    },
}


@pytest.fixture(scope="module")
def chart() -> Iterator[helm_python.Chart]:
    """The chart."""
    with helm_python.Chart.load(CHART) as loaded:
        yield loaded


def objects(chart: helm_python.Chart, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything that the chart renders, checked against its schema of values first."""
    chart.validate_schema(values)
    rendered = chart.render(values, name="prod", namespace="llm")
    texts = (text for path, text in rendered.items() if path.endswith(".yaml"))
    return [document for text in texts for document in yaml.load_all(text, LOADER) if document]


def one(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The object of that kind and name."""
    (found,) = (item for item in documents if item["kind"] == kind and item["metadata"]["name"] == name)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_lint_finds_nothing(variant: str) -> None:
    """`helm lint --strict` has neither an error nor a warning, whatever the values."""
    report = helm_python.lint(CHART, VARIANTS[variant], strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_rendered_is_valid(chart: helm_python.Chart, variant: str, version: str) -> None:
    """Each object fits the schema of Kubernetes, strictly; the Prometheus operator's are of its group."""
    documents = objects(chart, VARIANTS[variant])
    names = [(item["kind"], item["metadata"]["name"]) for item in documents]
    assert len(names) == len(set(names))
    for document in documents:
        if document["apiVersion"] != OPERATOR:
            kubernetes_validate.validate(document, version, strict=True)
        else:
            assert document["kind"] in ("ServiceMonitor", "PrometheusRule")


def test_one_exporter_and_many_gateways(chart: helm_python.Chart) -> None:
    """One exporter that is replaced, never doubled; gateways spread over nodes and zones, scaled and kept alive."""
    documents = objects(chart, KEY)
    exporter = one(documents, "Deployment", "prod-fleetmeter-exporter")["spec"]
    assert (exporter["replicas"], exporter["strategy"]) == (1, {"type": "Recreate"})
    gateway = one(documents, "Deployment", "prod-fleetmeter-gateway")["spec"]
    assert "replicas" not in gateway, "the autoscaler owns the number"
    keys = [spread["topologyKey"] for spread in gateway["template"]["spec"]["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert one(documents, "HorizontalPodAutoscaler", "prod-fleetmeter-gateway")["spec"]["minReplicas"] == 3
    assert one(documents, "PodDisruptionBudget", "prod-fleetmeter-gateway")["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_selector_finds_its_own_pods(chart: helm_python.Chart, variant: str) -> None:
    """Services, budgets and policies select the pods of one Deployment, whose own selector is the same."""
    documents = objects(chart, VARIANTS[variant])
    pods = {
        item["metadata"]["name"]: item["spec"]["template"]["metadata"]["labels"]
        for item in documents
        if item["kind"] == "Deployment"
    }
    selectors = {
        "Deployment": lambda spec: spec["selector"]["matchLabels"],
        "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
        "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
        "Service": lambda spec: spec["selector"],
    }
    for item in documents:
        if item["kind"] in selectors:
            wanted = selectors[item["kind"]](item["spec"]).items()
            assert [name for name, labels in pods.items() if wanted <= labels.items()] == [item["metadata"]["name"]]


@pytest.mark.parametrize("variant", VARIANTS)
def test_pods_have_no_rights(chart: helm_python.Chart, variant: str) -> None:
    """Not root, nothing writable but /tmp, no capability, no token, no secret in a variable; bounded memory."""
    for item in objects(chart, VARIANTS[variant]):
        if item["kind"] != "Deployment":
            continue
        pod = item["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert all(mount["mountPath"] == "/tmp" or mount["readOnly"] for mount in container["volumeMounts"])
        secret = [variable["name"] for variable in container["env"] if re.search("PASSWORD|KEY", variable["name"])]
        assert all(name.endswith("_FILE") for name in secret)


def test_secrets_of_the_user_are_used_and_none_is_made(chart: helm_python.Chart) -> None:
    """With existing Secrets alone the chart makes none; each file that a variable names comes from its Secret's key."""
    login = {"existingSecret": "store", "secretKey": "pw"}
    documents = objects(chart, {**KEY, "store": {"writer": login, "reader": login}})
    assert not [item for item in documents if item["kind"] == "Secret"]
    pod = one(documents, "Deployment", "prod-fleetmeter-gateway")["spec"]["template"]["spec"]
    (sources,) = (volume["projected"]["sources"] for volume in pod["volumes"] if volume["name"] == "secrets")
    files = {item["path"]: source["secret"]["name"] for source in sources for item in source["secret"]["items"]}
    assert files == {"openai_api_key": "models", "pw": "store"}
    environ = {variable["name"]: variable["value"] for variable in pod["containers"][0]["env"]}
    assert environ["OPENAI_API_KEY_FILE"] == "/run/secrets/fleetmeter/openai_api_key"
    assert environ["FLEETMETER_REDIS_PASSWORD_FILE"] == "/run/secrets/fleetmeter/pw"
    settings = AppSettings.from_env({**environ, "OPENAI_API_KEY_FILE": "", "OPENAI_API_KEY": "x"})
    assert settings.redis_url == "redis://valkey:6379/0"


def test_passwords_in_the_values_go_into_a_secret(chart: helm_python.Chart) -> None:
    """What is given as text stands in the chart's Secret, exactly, and nowhere else."""
    documents = objects(chart, EVERYTHING)
    secret = one(documents, "Secret", "llm")
    assert secret["stringData"] == {"openai_api_key": "sk-test", "exporter_password": "p'a\"s: s"}
    others = yaml.safe_dump([item for item in documents if item is not secret])
    assert "sk-test" not in others


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({**KEY, "gatway": {}}, "gatway"),
        ({"gateway": {**KEY["gateway"], "replica": 2}}, "replica"),
        ({**KEY, "store": {"url": "http://valkey"}}, "url"),
        ({**KEY, "store": {"port": "6379"}}, "port"),
        ({**KEY, "store": {"reader": {"existingSecret": "a", "password": "b"}}}, "reader"),
        ({"gateway": {"upstream": {"existingSecret": "a", "apiKey": "b"}}}, "upstream"),
        ({"gateway": {**KEY["gateway"], "terminationGracePeriodSeconds": 1}}, "terminationGracePeriodSeconds"),
    ],
)
def test_wrong_values_are_refused(chart: helm_python.Chart, values: dict[str, Any], word: str) -> None:
    """A value that is unknown, of another type, or one too many is refused by its name."""
    with pytest.raises(helm_python.HelmValuesError, match=word):
        chart.validate_schema(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "the gateways need a key"),
        (
            {**KEY, "monitoring": {"rules": {"enabled": True, "thresholds": {"no:such": 1}}}},
            "there is no series no:such",
        ),
    ],
)
def test_what_cannot_work_is_said(chart: helm_python.Chart, values: dict[str, Any], words: str) -> None:
    """Rendering stops with a sentence that says what to do."""
    with pytest.raises(helm_python.HelmRenderError, match=words):
        chart.render(values)


def test_the_rules_are_the_repositorys(chart: helm_python.Chart, tmp_path: Path) -> None:
    """Each file becomes a PrometheusRule with the same groups, but for thresholds of the values; promtool agrees."""
    documents = objects(chart, EVERYTHING)
    for file in sorted((ROOT / "prometheus" / "rules").glob("*.yml")):
        groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        spec = one(documents, "PrometheusRule", f"llm-{file.stem}")["spec"]
        for rule in (rule for group in groups for rule in group["rules"]):
            if rule.get("record") == "fleetmeter:cost_usd_per_hour:threshold":
                rule["expr"] = "vector(25.5)"
        assert spec["groups"] == groups
        (tmp_path / file.name).write_text(yaml.safe_dump(spec), encoding="utf-8")
        checked = [program("promtool"), "check", "rules", str(tmp_path / file.name)]
        assert subprocess.run(checked, capture_output=True, check=False).returncode == 0


def test_the_target_has_labels_that_last(chart: helm_python.Chart) -> None:
    """Job and instance are fixed, the pod's labels go, and only the exporter's Service is selected."""
    monitor = one(objects(chart, EVERYTHING), "ServiceMonitor", "llm")["spec"]
    assert monitor["selector"]["matchLabels"]["app.kubernetes.io/component"] == "exporter"
    (endpoint,) = monitor["endpoints"]
    fixed = {rule["targetLabel"]: rule["replacement"] for rule in endpoint["relabelings"] if "targetLabel" in rule}
    assert fixed == {"job": "fleetmeter", "instance": "fleetmeter"}
    (drop,) = (rule["regex"] for rule in endpoint["relabelings"] if rule.get("action") == "labeldrop")
    assert {"pod", "container", "endpoint", "service", "namespace"} <= set(drop.split("|"))


def test_the_dashboards_are_the_repositorys(chart: helm_python.Chart) -> None:
    """Each dashboard is a ConfigMap that the sidecar finds, with the file as it is, small enough for one."""
    documents = objects(chart, EVERYTHING)
    for file in (ROOT / "grafana" / "dashboards").glob("*.json"):
        config = one(documents, "ConfigMap", f"llm-dashboard-{file.stem}")
        assert config["data"] == {file.name: file.read_text(encoding="utf-8")}
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert len(config["data"][file.name]) < 1_000_000


def test_the_chart_has_the_packages_version(chart: helm_python.Chart) -> None:
    """The chart and its images are of the version that this tree is."""
    assert (chart.version, chart.metadata["appVersion"]) == (fleetmeter.__version__,) * 2


def test_a_packaged_chart_holds_its_files(tmp_path: Path) -> None:
    """The archive is complete: rules and dashboards are files in it, not links to folders that others do not have."""
    archive = helm_python.package(CHART, destination=tmp_path)
    shutil.unpack_archive(archive, tmp_path / "unpacked", "gztar")
    with (
        helm_python.Chart.load(tmp_path / "unpacked" / "fleetmeter") as unpacked,
        helm_python.Chart.load(CHART) as ours,
    ):
        assert unpacked.render(EVERYTHING) == ours.render(EVERYTHING)


def test_the_plain_manifests_are_up_to_date() -> None:
    """deploy/kubernetes is what the chart renders; `make manifests` writes it anew."""
    script = ROOT / "deploy" / "manifests.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for version in KUBERNETES:
        for document in yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "fleetmeter.yaml").read_text()):
            kubernetes_validate.validate(document, version, strict=True)
