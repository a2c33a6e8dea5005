"""Certificates of one data folder: an authority of its own, and one signed by it for each server.

`tls/ca.pem` is what clients are given; the keys are for their owner alone. A server's certificate is renewed by the
next `sensorlake up` within 30 days of its end, the authority's lasts as long as the data folder may.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVERS = ("kafka", "minio", "postgres", "influxdb")
RENEW_BEFORE = timedelta(days=30)
_AUTHORITY_DAYS, _SERVER_DAYS = 3650, 397
# Clocks of two machines differ; a certificate must not be of the future for one of them.
_LEEWAY = timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """Where a certificate and its key lie, named as MinIO wants them."""

    folder: Path

    @property
    def public(self) -> Path:
        return self.folder / "public.crt"

    @property
    def private(self) -> Path:
        return self.folder / "private.key"


def authority_file(root: Path) -> Path:
    return root / "tls" / "ca.pem"


def of(root: Path, server: str) -> Certificate:
    return Certificate(root / "tls" / server)


def ensure(root: Path, now: datetime | None = None) -> list[str]:
    """Have the authority and a certificate for each server; the names of those that were made or renewed."""
    moment = now or datetime.now(UTC)
    (root / "tls").mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, key = _authority(root, moment)
    made = []
    for server in SERVERS:
        place = of(root, server)
        if not _is_good(place, authority, moment):
            _issue(place, server, authority, key, moment)
            made.append(server)
    return made


def ends(path: Path) -> datetime:
    """When a certificate ceases to be valid."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def _authority(root: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    public, private = authority_file(root), root / "tls" / "ca.key"
    if public.is_file() and private.is_file():
        key = serialization.load_pem_private_key(private.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{private} is no key of an elliptic curve")
        return x509.load_pem_x509_certificate(public.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("sensorlake authority of one installation")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _begun(name, name, key, now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(private, key)
    _write(public, made.public_bytes(serialization.Encoding.PEM), 0o644)
    return made, key


def _issue(
    place: Certificate, server: str, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    # Kafka's broker and its controller are each other's clients.
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        _begun(_named(server), authority.subject, own, now, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_key(place.private, own)
    _write(place.public, made.public_bytes(serialization.Encoding.PEM), 0o644)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + timedelta(days=days))
    )


def _is_good(place: Certificate, authority: x509.Certificate, now: datetime) -> bool:
    if not (place.public.is_file() and place.private.is_file()):
        return False
    found = x509.load_pem_x509_certificate(place.public.read_bytes())
    return found.issuer == authority.subject and found.not_valid_after_utc - now > RENEW_BEFORE


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    form = serialization.PrivateFormat.PKCS8
    _write(path, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()), 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replaced as a whole; a key is at no time readable by others."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_bytes(content)
    new.replace(path)
