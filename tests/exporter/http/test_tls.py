"""TLS as the web configuration file describes it, in real handshakes."""

import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetmeter_exporter.http.limits import Limits
from fleetmeter_exporter.http.section import Files
from fleetmeter_exporter.http.tls import TLS
from fleetmeter_exporter.http.web_config import read
from fleetmeter_exporter.http.web_file import LOOK, WebFile
from support.tls import Authority, Certificate
from support.web import connect, echo, get, read_all, read_answer, serving, told

BASE = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
MUTUAL = BASE + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA with a certificate for the server."""
    authority = Authority(tmp_path, "ca")
    authority.issue("server")
    return authority


def tls_of(folder: Path, text: str) -> Callable[[], TLS | None]:
    """What a server goes by that was configured so."""
    (folder / "web.yml").write_text(text)
    config = read(str(folder / "web.yml"), Files(str(folder)))
    return lambda: config.tls


def trusting(authority: Authority, certificate: Certificate | None = None) -> ssl.SSLContext:
    """A client's context."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    if certificate is not None:
        context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def wrapped(plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A client's socket after the handshake."""
    return context.wrap_socket(plain, server_hostname="localhost")


def answer(address: tuple[str, int], context: ssl.SSLContext) -> bytes:
    """The body of one request; a client that is not let in gets an `OSError`, sooner or later."""
    with connect(address) as plain, wrapped(plain, context) as client:
        client.sendall(get())
        return read_answer(client)[2]


def test_requests_over_tls(tmp_path: Path, authority: Authority) -> None:
    """Several requests on one connection, a big header refused, and the end of a connection is a clean one."""
    with (
        serving(echo, Limits(linger_seconds=0.2, idle_seconds=0.5), tls_of(tmp_path, BASE)) as server,
        connect(server.address) as plain,
        wrapped(plain, trusting(authority)) as client,
    ):
        for path in ("/a", "/b"):
            client.sendall(get(path))
            assert read_answer(client)[2] == f"GET {path}".encode()
        assert client.recv(1) == b""  # a connection that is just torn off would raise
        with (
            connect(server.address) as other,
            wrapped(other, trusting(authority)) as wide,
        ):
            wide.sendall(get("/", "X: " + "y" * 20_000))
            assert read_answer(wide)[0] == 431


def test_plain_http_is_refused(tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    """A server with TLS answers nothing to a client without, and says so once a minute, not once per client."""
    with serving(echo, tls=tls_of(tmp_path, BASE)) as server:
        for _ in range(3):
            with connect(server.address) as client:
                client.sendall(get())
                assert b"GET /" not in read_all(client)
        assert answer(server.address, trusting(authority)) == b"GET /"
    about = {"client": "127.0.0.1", "problem": "HTTP_REQUEST", "left_out": 0}
    assert told(caplog.records) == [("TLS did not let in a client", about)]


def test_a_handshake_that_does_not_come_is_not_waited_for(tmp_path: Path, authority: Authority) -> None:
    """A silent client is closed after `header_seconds`; it counts as a connection, and makes room for others."""
    with serving(echo, Limits(header_seconds=0.3), tls_of(tmp_path, BASE)) as server, connect(server.address) as silent:
        assert read_all(silent) == b""
    with serving(echo, Limits(connections=2), tls_of(tmp_path, BASE)) as server:
        silents = [connect(server.address) for _ in range(2)]
        assert answer(server.address, trusting(authority)) == b"GET /"
        assert read_all(silents[0]) == b""
        for silent in silents:
            silent.close()


def test_a_client_has_to_show_a_certificate(tmp_path: Path, authority: Authority) -> None:
    """With RequireAndVerifyClientCert only a certificate of the CA comes in: none, and another CA's, do not."""
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other-ca").issue("stranger")
    with serving(echo, tls=tls_of(tmp_path, MUTUAL)) as server:
        assert answer(server.address, trusting(authority, authority.issue("client"))) == b"GET /"
        for certificate in (None, stranger):
            with pytest.raises(OSError):  # noqa: PT011  an alert, an end or a reset, whatever comes first
                answer(server.address, trusting(authority, certificate))


def test_a_client_may_show_a_certificate(tmp_path: Path, authority: Authority) -> None:
    """With VerifyClientCertIfGiven nobody has to, but who does has to show one of the CA."""
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other-ca").issue("stranger")
    text = MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    with serving(echo, tls=tls_of(tmp_path, text)) as server:
        assert answer(server.address, trusting(authority)) == b"GET /"
        assert answer(server.address, trusting(authority, authority.issue("client"))) == b"GET /"
        with pytest.raises(OSError):  # noqa: PT011  an alert, an end or a reset, whatever comes first
            answer(server.address, trusting(authority, stranger))


@pytest.mark.parametrize(
    ("names", "allowed"), [("[localhost]", True), ("['::ffff:1', 127.0.0.1]", True), ("[elsewhere, 127.0.0.2]", False)]
)
def test_a_certificate_has_to_be_for_an_allowed_name(
    tmp_path: Path, authority: Authority, names: str, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """With client_allowed_sans one of the certificate's names or addresses has to be in the list."""
    client = authority.issue("client")
    with serving(echo, tls=tls_of(tmp_path, MUTUAL + f"  client_allowed_sans: {names}\n")) as server:
        if allowed:
            assert answer(server.address, trusting(authority, client)) == b"GET /"
        else:
            with pytest.raises(OSError):  # noqa: PT011  an end or a reset, whatever comes first
                answer(server.address, trusting(authority, client))
            ((_, about),) = told(caplog.records)
            assert about["problem"] == "no subject alternative name of its certificate is allowed"


def test_versions_are_held_to(tmp_path: Path, authority: Authority) -> None:
    """min_version and max_version bound what is agreed on."""
    old, new = trusting(authority), trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    for line, fits, fails in (("min_version: TLS13", new, old), ("max_version: TLS12", old, new)):
        with serving(echo, tls=tls_of(tmp_path, BASE + f"  {line}\n")) as server:
            assert answer(server.address, fits) == b"GET /"
            with pytest.raises(OSError):  # noqa: PT011  an alert, an end or a reset, whatever comes first
                answer(server.address, fails)


def agreed(address: tuple[str, int], context: ssl.SSLContext) -> str:
    """The cipher suite that client and server agree on."""
    with connect(address) as plain, wrapped(plain, context) as client:
        cipher = client.cipher()
        assert cipher is not None
        return cipher[0]


def test_cipher_suites_are_held_to(tmp_path: Path, authority: Authority) -> None:
    """Of TLS 1.2 only the listed suites are spoken, in the server's order or in the client's."""
    first, second = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"
    both = "[TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"
    client = trusting(authority)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(f"{second}:{first}")
    for order, expected in (("true", first), ("false", second)):
        text = BASE + f"  cipher_suites: {both}\n  prefer_server_cipher_suites: {order}\n"
        with serving(echo, tls=tls_of(tmp_path, text)) as server:
            assert agreed(server.address, client) == expected
    text = BASE + "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n"
    with serving(echo, tls=tls_of(tmp_path, text)) as server, pytest.raises(OSError):  # noqa: PT011
        agreed(server.address, client)


def test_a_curve_is_held_to(tmp_path: Path, authority: Authority) -> None:
    """Of curves only the preferred one is used."""
    fits, fails = trusting(authority), trusting(authority)
    fits.set_ecdh_curve("secp384r1")
    fails.set_ecdh_curve("prime256v1")
    with serving(echo, tls=tls_of(tmp_path, BASE + "  curve_preferences: [CurveP384]\n")) as server:
        assert answer(server.address, fits) == b"GET /"
        with pytest.raises(OSError):  # noqa: PT011  an alert, an end or a reset, whatever comes first
            answer(server.address, fails)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def shown(address: tuple[str, int], authority: Authority) -> object:
    """The serial number of the certificate that a server shows."""
    with connect(address) as plain, wrapped(plain, trusting(authority)) as client:
        certificate = client.getpeercert()
        assert certificate is not None
        return certificate["serialNumber"]


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    """New connections get the new certificate; an older connection ends when it asks again, unanswered."""
    clock = Clock()
    (tmp_path / "web.yml").write_text(BASE)
    web = WebFile(str(tmp_path / "web.yml"), clock)
    with serving(echo, tls=lambda: web.current().tls) as server:
        before = shown(server.address, authority)
        with (
            connect(server.address) as plain,
            wrapped(plain, trusting(authority)) as old,
        ):
            old.sendall(get())
            assert read_answer(old)[2] == b"GET /"
            authority.issue("server")
            assert shown(server.address, authority) == before  # nobody has looked yet
            clock.now += LOOK
            assert shown(server.address, authority) != before
            old.sendall(get())
            assert old.recv(1) == b""


def test_a_client_ca_is_replaced_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    """Who is no longer trusted gets no answer any more, on an old connection either; who is now, comes in."""
    clock = Clock()
    (tmp_path / "other").mkdir()
    successor = Authority(tmp_path / "other", "ca")
    was, now = authority.issue("client"), successor.issue("client")
    (tmp_path / "web.yml").write_text(MUTUAL)
    trusts_server = authority.ca.read_bytes()
    web = WebFile(str(tmp_path / "web.yml"), clock)
    authority.ca = tmp_path / "server-ca.pem"
    authority.ca.write_bytes(trusts_server)
    with (
        serving(echo, tls=lambda: web.current().tls) as server,
        connect(server.address) as plain,
        wrapped(plain, trusting(authority, was)) as kept,
    ):
        kept.sendall(get())
        assert read_answer(kept)[2] == b"GET /"
        successor.ca.replace(tmp_path / "ca.pem")
        clock.now += LOOK
        kept.sendall(get())
        assert kept.recv(1) == b""
        assert answer(server.address, trusting(authority, now)) == b"GET /"
        with pytest.raises(OSError):  # noqa: PT011  an alert, an end or a reset, whatever comes first
            answer(server.address, trusting(authority, was))


def test_a_stop_ends_handshakes(tmp_path: Path, authority: Authority) -> None:
    """Who is still shaking hands when the server is told to stop does not hold it up for longer than the grace."""
    with serving(echo, Limits(grace_seconds=0.2), tls_of(tmp_path, BASE)) as server, connect(server.address) as silent:
        time.sleep(0.3)
        server.stop()
        assert read_all(silent) == b""


def test_no_key_is_written_to_a_file(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux: certificate and key reach OpenSSL through memory, so that a read-only file system will do."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    with serving(echo, tls=tls_of(tmp_path, BASE)) as server:
        assert answer(server.address, trusting(authority)) == b"GET /"
