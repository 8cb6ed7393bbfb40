"""The web configuration file: what it may say, and what is refused, by which name and with what reason."""

from pathlib import Path

import bcrypt
import pytest

from fleetmeter.errors import SettingError
from fleetmeter_exporter.http.section import Files
from fleetmeter_exporter.http.web_config import RateLimit, WebConfig, read
from support.tls import Authority, Certificate

SECRET = "very-secret"
HASH = bcrypt.hashpw(SECRET.encode(), b"$2b$04$abcdefghijklmnopqrstuu").decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CA, a server's certificate and key, and files that are none."""
    path = tmp_path_factory.mktemp("web")
    authority = Authority(path, "ca")
    authority.issue("server")
    authority.issue("other")
    (path / "empty.pem").write_text("")
    (path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n")
    encrypted(authority.issue("locked"))
    (path / "big.pem").write_bytes(bytes(1024 * 1024 + 1))
    return path


def encrypted(files: Certificate) -> None:
    """Put a password on a key."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(SECRET.encode()),
    )
    files.key.write_bytes(locked)


def parsed(folder: Path, text: str | bytes) -> WebConfig:
    """What is read from a file with this text."""
    path = folder / "web.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(str(path), Files(str(folder)))


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


@pytest.mark.parametrize("text", ["", "# nothing\n", "basic_auth_users:\n", "tls_server_config: {}\nrate_limit: ~\n"])
def test_a_file_may_say_nothing(folder: Path, text: str) -> None:
    """An empty file, section or value is as good as none."""
    assert parsed(folder, text) == WebConfig()


def test_everything_that_a_file_may_say(folder: Path) -> None:
    """Every key of the format is understood; paths count from the file's folder, a user may look like a number."""
    (folder / "sub").mkdir(exist_ok=True)
    config = parsed(
        folder,
        f"""
tls_server_config:
  cert_file: sub/../server.pem
  key_file: {folder / "server.key"}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [localhost, "127.0.0.1"]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP384]
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: "default-src 'none'"
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: ""
    Strict-Transport-Security: max-age=60
basic_auth_users:
  alice: {HASH}
  007: {HASH}
  on: {HASH.replace("$2b$", "$2y$")}
rate_limit:
  interval: 1m0.5s
  burst: 20
""",
    )
    assert config.tls is not None
    assert config.tls.settings.suites == ("ECDHE-ECDSA-AES256-GCM-SHA384",)
    assert config.tls.settings.allowed_sans == ("localhost", "127.0.0.1")
    assert config.headers == {
        "Content-Security-Policy": "default-src 'none'",
        "Strict-Transport-Security": "max-age=60",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "deny",
    }
    assert set(config.users) == {"alice", "007", "on"}
    assert config.rate_limit == RateLimit(60.5, 20)


def test_the_shipped_file_is_right(folder: Path) -> None:
    """`exporter/web.yml` is understood as it stands, and its user's password is the one that it names."""
    shipped = (Path(__file__).parents[3] / "exporter" / "web.yml").read_text()
    config = parsed(folder, shipped.replace("exporter.", "server."))
    assert config.tls is not None
    assert config.rate_limit == RateLimit(0.1, 20)
    assert bcrypt.checkpw(b"change-me", config.users["prometheus"].encode())


def test_certificates_may_stand_in_the_file(folder: Path) -> None:
    """`cert`, `key` and `client_ca` take the place of the files."""

    def inline(name: str) -> str:
        return "\n".join(f"    {line}" for line in (folder / name).read_text().splitlines())

    text = f"""
tls_server_config:
  client_auth_type: VerifyClientCertIfGiven
  cert: |
{inline("server.pem")}
  key: |
{inline("server.key")}
  client_ca: |
{inline("ca.pem")}
"""
    config = parsed(folder, text)
    assert config.tls is not None
    assert config.tls.settings.certificate == (folder / "server.pem").read_bytes()


@pytest.mark.parametrize(
    ("text", "key", "reasons"),
    [
        ("tls_config: {}", "tls_config", ["unknown key", "tls_server_config, http_server_config"]),
        ("- a", "", ["found a list", "expected a mapping"]),
        ("just text", "", ["found a string", "expected a mapping"]),
        ("a: [", "", ["line 1: ", "expected YAML"]),
        ("a: b\n\tc: d", "", ["line 2: ", "expected YAML"]),
        (b"\xff\xfe\xff", "", ["UTF-8"]),
        ("basic_auth_users: {a: b}\nbasic_auth_users: {}", "", ["line 2: ", "'basic_auth_users' comes a second time"]),
        ("? [a]\n: b", "", ["line 1: ", "a key is no string"]),
        ("tls_server_config: on", "tls_server_config", ["found a string; expected a mapping"]),
        ("tls_server_config:\n  certfile: x", "tls_server_config.certfile", ["unknown key", "cert_file"]),
        ("tls_server_config:\n  key_file: server.key", "tls_server_config.cert_file", ["missing"]),
        ("tls_server_config:\n  client_auth_type: NoClientCert", "tls_server_config.cert_file", ["missing"]),
        ("tls_server_config:\n  cert_file: server.pem", "tls_server_config.key_file", ["missing"]),
        (TLS + "  cert: x", "tls_server_config.cert_file", ["cert too", "one of the two"]),
        (
            "tls_server_config:\n  cert_file: [a]\n  key_file: server.key",
            "tls_server_config.cert_file",
            ["found a list; expected a string"],
        ),
        (
            "tls_server_config:\n  cert_file: nowhere.pem\n  key_file: server.key",
            "tls_server_config.cert_file",
            ["nowhere.pem' cannot be read: No such file"],
        ),
        (
            "tls_server_config:\n  cert_file: big.pem\n  key_file: server.key",
            "tls_server_config.cert_file",
            ["big.pem' is larger than"],
        ),
        (
            "tls_server_config:\n  cert_file: .\n  key_file: server.key",
            "tls_server_config.cert_file",
            ["cannot be read: Is a directory"],
        ),
        (
            "tls_server_config:\n  cert_file: junk.pem\n  key_file: server.key",
            "tls_server_config.cert_file",
            ["no certificate that can be read"],
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.pem",
            "tls_server_config.key_file",
            ["no private key that can be read"],
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key_file: other.key",
            "tls_server_config.key_file",
            ["does not belong to the certificate"],
        ),
        (
            "tls_server_config:\n  cert_file: locked.pem\n  key_file: locked.key",
            "tls_server_config.key_file",
            ["encrypted"],
        ),
        (
            "tls_server_config:\n  cert_file: server.pem\n  key: very-secret",
            "tls_server_config.key",
            ["no private key that can be read"],
        ),
        (
            TLS + "  client_ca_file: ca.pem",
            "tls_server_config.client_auth_type",
            ["client_ca has no effect", "RequireAndVerifyClientCert"],
        ),
        (
            TLS + "  client_auth_type: RequireAndVerifyClientCert",
            "tls_server_config.client_ca_file",
            ["missing; RequireAndVerifyClientCert verifies"],
        ),
        (
            TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: empty.pem",
            "tls_server_config.client_ca_file",
            ["no certificate that can be read"],
        ),
        (
            TLS + "  client_auth_type: Everybody",
            "tls_server_config.client_auth_type",
            ["'Everybody' is not known; expected one of NoClientCert, "],
        ),
        *(
            (TLS + f"  client_auth_type: {name}", "tls_server_config.client_auth_type", ["nobody verifies"])
            for name in ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
        ),
        (
            TLS + "  client_allowed_sans: [a]",
            "tls_server_config.client_allowed_sans",
            ["client_auth_type: RequireAndVerifyClientCert"],
        ),
        (
            TLS + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n  client_allowed_sans: [a]",
            "tls_server_config.client_allowed_sans",
            ["client_auth_type: RequireAndVerifyClientCert"],
        ),
        (
            TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: []",
            "tls_server_config.client_allowed_sans",
            ["at least one name"],
        ),
        (TLS + "  client_allowed_sans: a", "tls_server_config.client_allowed_sans", ["expected a list of strings"]),
        (
            TLS + "  min_version: TLS9",
            "tls_server_config.min_version",
            ["'TLS9' is not known; expected one of TLS12, TLS13"],
        ),
        (TLS + "  min_version: TLS10", "tls_server_config.min_version", ["'TLS10' is insecure", "one of TLS12, TLS13"]),
        (TLS + "  max_version: TLS11", "tls_server_config.max_version", ["'TLS11' is insecure"]),
        (
            TLS + "  min_version: TLS13\n  max_version: TLS12",
            "tls_server_config.max_version",
            ["below min_version"],
        ),
        (
            TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]",
            "tls_server_config.cipher_suites",
            ["'TLS_RSA_WITH_RC4_128_SHA' is not known; expected some of TLS_ECDHE"],
        ),
        (
            TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]",
            "tls_server_config.cipher_suites",
            ["no suite of TLS 1.2"],
        ),
        (
            TLS + "  prefer_server_cipher_suites: maybe",
            "tls_server_config.prefer_server_cipher_suites",
            ["'maybe' is no truth value; expected true or false"],
        ),
        (TLS + "  curve_preferences: [Curve1]", "tls_server_config.curve_preferences", ["'Curve1' is not known"]),
        (
            TLS + "  curve_preferences: [X25519, CurveP256]",
            "tls_server_config.curve_preferences",
            ["found 2 curves", "one only"],
        ),
        ("http_server_config: {http2: 2}", "http_server_config.http2", ["'2' is no truth value"]),
        ("http_server_config: {headers: {Server: x}}", "http_server_config.headers.Server", ["unknown key", "X-Frame"]),
        (
            "http_server_config: {headers: {X-Frame-Options: never}}",
            "http_server_config.headers.X-Frame-Options",
            ["'never' is not known; expected one of deny, sameorigin"],
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "a\\r\\nSet-Cookie: x"}}',
            "http_server_config.headers.X-XSS-Protection",
            ["one line of printable ASCII"],
        ),
        ("basic_auth_users: [a]", "basic_auth_users", ["found a list; expected a mapping"]),
        (f"basic_auth_users: {{alice: {SECRET}}}", "basic_auth_users.alice", ["no bcrypt hash"]),
        (f"basic_auth_users: {{alice: ['{SECRET}']}}", "basic_auth_users.alice", ["found a list"]),
        ("basic_auth_users:\n  alice:", "basic_auth_users.alice", ["no bcrypt hash"]),
        (f"basic_auth_users: {{'a:b': {HASH}}}", "basic_auth_users.a:b", ["no colon"]),
        (f"basic_auth_users: {{a: {HASH.replace('$04$', '$19$')}}}", "basic_auth_users.a", ["cost 19", "from 4 to 18"]),
        (f"basic_auth_users: {{a: {HASH.replace('$04$', '$03$')}}}", "basic_auth_users.a", ["from 4 to 18"]),
        ("rate_limit: {interval: soon, burst: 1}", "rate_limit.interval", ["'soon' is no duration; expected"]),
        ("rate_limit: {interval: 5, burst: 1}", "rate_limit.interval", ["'5' is no duration"]),
        ("rate_limit: {interval: 1s}", "rate_limit.burst", ["from 1 on"]),
        ("rate_limit: {interval: 1s, burst: -1}", "rate_limit.burst", ["'-1' is no whole number"]),
    ],
)
def test_what_cannot_be_used_is_named(folder: Path, text: str | bytes, key: str, reasons: list[str]) -> None:
    """The message begins with file and key, says what was found and what was expected, and shows no secret."""
    with pytest.raises(SettingError) as raised:
        parsed(folder, text)
    message = str(raised.value)
    assert message.startswith(f"{folder}/web.yml: {key}{': ' if key else ''}")
    for reason in reasons:
        assert reason in message
    assert SECRET not in message
    assert HASH[:10] not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path where nothing is: the flag, the path and the reason."""
    with pytest.raises(SettingError, match=r"^--web\.config\.file: '.*/none\.yml' cannot be read: No such file"):
        read(str(tmp_path / "none.yml"), Files(str(tmp_path)))


@pytest.mark.parametrize("interval", ["0", "0s", "0ms"])
def test_a_rate_limit_of_no_interval_is_none(folder: Path, interval: str) -> None:
    """An interval of 0 switches the limit off, whatever the burst."""
    assert parsed(folder, f"rate_limit: {{interval: {interval}, burst: 3}}").rate_limit is None


def test_secrets_show_in_no_repr(folder: Path) -> None:
    """Neither the key nor a user's hash is in the text of the configuration."""
    config = parsed(folder, TLS + f"basic_auth_users: {{alice: {HASH}}}")
    assert config.tls is not None
    shown = repr(config) + repr(config.tls.settings)
    assert HASH not in shown
    assert "PRIVATE KEY" not in shown
