"""A certificate authority for one test run: certificates for servers on loopback, and for clients."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = dt.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and its key, in PEM."""

    certificate: Path
    key: Path


class Authority:
    """A CA whose files are in a directory; `ca` is the file that who trusts it names."""

    def __init__(self, directory: Path, name: str = "test-ca") -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = directory / f"{name}.pem"
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        self.ca.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> Certificate:
        """A certificate for localhost and 127.0.0.1, good for a server and for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = self._builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key()
        ).add_extension(x509.SubjectAlternativeName(names), critical=False)
        files = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        files.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        public = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _LIFE)
            .not_valid_after(now + _LIFE)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        )


def server_options(authority: Authority, server: Certificate, port: int, *, clients: bool = True) -> dict[str, str]:
    """Options of a server that speaks TLS only; `clients` says whether it asks for their certificates."""
    return {
        "port": "0",
        "tls-port": str(port),
        "tls-ca-cert-file": str(authority.ca),
        "tls-cert-file": str(server.certificate),
        "tls-key-file": str(server.key),
        "tls-auth-clients": "yes" if clients else "no",
    }


def client_parameters(authority: Authority, client: Certificate | None = None) -> dict[str, str]:
    """redis-py's parameters, as a URL has them: whom to trust, and who one is."""
    parameters = {"ssl_ca_certs": str(authority.ca)}
    if client is not None:
        parameters |= {"ssl_certfile": str(client.certificate), "ssl_keyfile": str(client.key)}
    return parameters


def query(parameters: dict[str, str]) -> str:
    """Parameters as the end of a URL."""
    return "?" + urlencode(parameters)
