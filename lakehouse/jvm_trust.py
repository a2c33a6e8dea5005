"""Whom a JVM trusts and as whom its Kafka clients log in: files that its command line names, and no secret on it."""

from pathlib import Path

from sensorlake import connections
from sensorlake.settings import Settings

# Java opens no truststore without a password. This one keeps nothing secret: certificates are public.
_OPENS = "changeit"


def flags(settings: Settings) -> str:
    """What to add to the JVM's command line; nothing where the settings name neither certificates nor a user."""
    folder = settings.data_dir.absolute() / "run"
    found = {}
    if authorities := connections.certificates(settings):
        found["javax.net.ssl.trustStore"] = str(_write(folder / "truststore.p12", truststore(Path(authorities))))
        found |= {"javax.net.ssl.trustStoreType": "PKCS12", "javax.net.ssl.trustStorePassword": _OPENS}
    if login := connections.jaas(settings):
        path = _write(folder / f"kafka-{settings.service}.jaas", login.encode())
        found["java.security.auth.login.config"] = str(path)
    return " ".join(f'"-D{name}={value}"' for name, value in found.items())


def truststore(authorities: Path) -> bytes:
    """The certificates of a PEM file in the form that Java reads."""
    from cryptography import x509  # noqa: PLC0415  only secured installations need it
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import pkcs12  # noqa: PLC0415

    found = x509.load_pem_x509_certificates(authorities.read_bytes())
    entries = [pkcs12.PKCS12Certificate(each, f"authority-{number}".encode()) for number, each in enumerate(found)]
    return pkcs12.serialize_java_truststore(entries, serialization.BestAvailableEncryption(_OPENS.encode()))


def _write(path: Path, content: bytes) -> Path:
    """Replaced as a whole, readable for its owner alone at every moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_bytes(content)
    new.replace(path)
    return path
