"""The SCRAM-SHA-256 verifier of a password (RFC 5803), as PostgreSQL stores it."""

import base64
import hashlib
import hmac
import secrets

_ITERATIONS = 4096


def verifier(password: str, *, salt: bytes | None = None) -> str:
    """What PostgreSQL may know of `password` (ASCII): enough to check it, not enough to log in with."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt64}${stored64}:{server64}"
