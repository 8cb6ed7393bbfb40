"""`tls_server_config` of a web configuration file, and the TLS context that it describes."""

import ipaddress
import os
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from fleetmeter_exporter.http.section import Files, Section

KEYS = (
    "cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type", "client_allowed_sans",
    "min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites", "curve_preferences",
)  # fmt: skip

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
"""What the format knows besides: certificates that nobody verifies. OpenSSL by way of Python verifies each it gets."""
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
"""OpenSSL's names for the suites of TLS 1.2 that Go's documentation lists as secure, best first."""
SUITES_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""Always on when TLS 1.3 is spoken, in Go as well: the format's list counts up to TLS 1.2."""


@dataclass(frozen=True)
class TLSSettings:
    """What a TLS server is to do; equal if nothing has changed, file contents included."""

    certificate: bytes
    key: bytes = field(repr=False)
    clients: ssl.VerifyMode = ssl.CERT_NONE
    client_ca: bytes = b""
    allowed_sans: tuple[str, ...] = ()
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    suites: tuple[str, ...] = ()
    server_order: bool = True
    curve: str = ""


class TLS:
    """A TLS context with its settings, for handshakes that begin now."""

    def __init__(self, settings: TLSSettings, context: ssl.SSLContext) -> None:
        self.settings = settings
        self.context = context
        self._allowed = {_plain(name) for name in settings.allowed_sans}

    def refusal(self, peer: ssl.SSLObject) -> str:
        """Why a client whose certificate is verified may not come in all the same; empty if it may."""
        if not self._allowed:
            return ""
        certificate: Any = peer.getpeercert() or {}
        names = {_plain(str(value)) for _, value in certificate.get("subjectAltName", ())}
        return "" if names & self._allowed else "no subject alternative name of its certificate is allowed"


def read_tls(section: Section, files: Files) -> TLS | None:
    """The TLS that a section asks for, tried out; None if it asks for none. Raises `SettingError`."""
    if not section.keys:
        return None
    certificate = _pem(section, files, "cert", "cert_file")
    key = _pem(section, files, "key", "key_file")
    client_ca = _pem(section, files, "client_ca", "client_ca_file", optional=True)
    clients, allowed_sans = _clients(section)
    least, most = _versions(section)
    suites, curve = _suites(section), _curve(section)
    server_order = section.flag("prefer_server_cipher_suites", default=True)
    settings = TLSSettings(certificate, key, clients, client_ca, allowed_sans, least, most, suites, server_order, curve)
    return TLS(settings, _context(section, settings))


def _pem(section: Section, files: Files, inline: str, by_file: str, *, optional: bool = False) -> bytes:
    if inline in section and by_file in section:
        raise section.error(by_file, f"there is {inline} too; expected one of the two")
    if inline in section:
        return section.text(inline).encode()
    if by_file not in section:
        if optional:
            return b""
        raise section.error(by_file, f"it is missing; TLS needs one of {by_file} and {inline}")
    try:
        return files.read(section.text(by_file))
    except ValueError as error:
        raise section.error(by_file, str(error)) from None


def _clients(section: Section) -> tuple[ssl.VerifyMode, tuple[str, ...]]:
    name = section.text("client_auth_type")
    if name in UNVERIFIED:
        problem = f"{name!r} accepts certificates that nobody verifies, which this exporter cannot do"
        raise section.error("client_auth_type", f"{problem}; expected one of {', '.join(CLIENTS)}")
    mode = section.choice("client_auth_type", CLIENTS, "NoClientCert")
    given = "client_ca_file" in section or "client_ca" in section
    if mode == ssl.CERT_NONE and given:
        problem = "client certificates are not asked for, so that client_ca has no effect"
        expected = "expected RequireAndVerifyClientCert or VerifyClientCertIfGiven beside it"
        raise section.error("client_auth_type", f"{problem}; {expected}")
    if mode != ssl.CERT_NONE and not given:
        raise section.error("client_ca_file", f"it is missing; {name} verifies against client_ca_file or client_ca")
    allowed = section.names("client_allowed_sans")
    if "client_allowed_sans" in section and (mode != ssl.CERT_REQUIRED or not allowed):
        problem = "it needs at least one name and client_auth_type: RequireAndVerifyClientCert"
        raise section.error("client_allowed_sans", f"{problem}, because without them there may be no name to compare")
    return mode, allowed


def _versions(section: Section) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    for key in ("min_version", "max_version"):
        if section.text(key) in ("TLS10", "TLS11"):
            problem = f"{section.text(key)!r} is insecure, and this exporter does not speak it"
            raise section.error(key, f"{problem}; expected one of {', '.join(VERSIONS)}")
    least: ssl.TLSVersion = section.choice("min_version", VERSIONS, "TLS12")
    most: ssl.TLSVersion = section.choice("max_version", VERSIONS, "TLS13")
    if least > most:
        raise section.error("max_version", "it is below min_version; expected the same or a later one")
    return least, most


def _suites(section: Section) -> tuple[str, ...]:
    suites = section.names("cipher_suites")
    for name in suites:
        if name not in SUITES and name not in SUITES_13:
            raise section.error("cipher_suites", f"{name!r} is not known; expected some of {', '.join(SUITES)}")
    ours = tuple(SUITES[name] for name in suites if name in SUITES)
    if suites and not ours and section.text("min_version") != "TLS13":
        raise section.error("cipher_suites", "no suite of TLS 1.2 is among them; add one, or set min_version: TLS13")
    return ours


def _curve(section: Section) -> str:
    curves = section.names("curve_preferences")
    for name in curves:
        if name not in CURVES:
            raise section.error("curve_preferences", f"{name!r} is not known; expected one of {', '.join(CURVES)}")
    if len(curves) > 1:
        problem = f"found {len(curves)} curves, but Python's TLS can be limited to one only"
        raise section.error("curve_preferences", f"{problem}; expected one, or none for OpenSSL's own order")
    return CURVES[curves[0]] if curves else ""


def _context(section: Section, settings: TLSSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = settings.minimum, settings.maximum
    context.set_ciphers(":".join(settings.suites or SUITES.values()))
    context.set_alpn_protocols(["http/1.1"])
    if not settings.server_order:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.curve:
        try:
            context.set_ecdh_curve(settings.curve)
        except (ssl.SSLError, ValueError):
            expected = "expected another, or none for OpenSSL's own order, which begins with X25519"
            raise section.error("curve_preferences", f"this Python cannot set {settings.curve}; {expected}") from None
    if settings.clients != ssl.CERT_NONE:
        name = "client_ca_file" if "client_ca_file" in section else "client_ca"
        _trust(section, name, context, settings.client_ca)
    context.verify_mode = settings.clients
    _identify(section, context, settings)
    return context


def _trust(section: Section, name: str, context: ssl.SSLContext, pem: bytes) -> None:
    try:
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):  # ValueError: empty, or not ASCII
        raise section.error(name, "it holds no certificate that can be read; expected PEM") from None


def _identify(section: Section, context: ssl.SSLContext, settings: TLSSettings) -> None:
    """Give the context its certificate and key; what does not fit is refused by the name of the one to blame."""
    certificate_name = "cert_file" if "cert_file" in section else "cert"
    key_name = "key_file" if "key_file" in section else "key"
    _trust(section, certificate_name, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings.certificate)

    def encrypted() -> str:
        raise section.error(key_name, "the key is encrypted; expected one without a password")

    try:
        with _as_file(settings.certificate) as certificate, _as_file(settings.key) as key:
            context.load_cert_chain(certificate, key, password=encrypted)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise section.error(key_name, "the key does not belong to the certificate; expected its own") from None
        if "TOO_SMALL" in (error.reason or "") or error.reason == "CA_MD_TOO_WEAK":
            raise section.error(certificate_name, f"OpenSSL takes it for too weak ({error.reason})") from None
        raise section.error(key_name, "it holds no private key that can be read; expected PEM") from None


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path by which OpenSSL, which takes no bytes, can read them. Linux: in memory, so that no key meets a disk."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("fleetmeter")
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:  # for its owner only
            file.write(content)
            file.flush()
            yield file.name


def _plain(name: str) -> str:
    """A name to compare by: addresses are written in several ways."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(name.strip()))
    return name
