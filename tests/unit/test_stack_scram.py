"""The verifier that PostgreSQL stores instead of a password."""

import base64
import hmac

from stack.scram import verifier

# The example of RFC 7677, section 3: the server proves itself with this signature over these messages.
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
MESSAGES = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s={SALT},i=4096,c=biws,r={NONCE}"
SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_verifier_holds_the_server_key_of_rfc_7677() -> None:
    made = verifier("pencil", salt=base64.b64decode(SALT))
    assert made.startswith(f"SCRAM-SHA-256$4096:{SALT}$")
    server_key = base64.b64decode(made.rpartition(":")[2])
    assert base64.b64encode(hmac.digest(server_key, MESSAGES.encode(), "sha256")).decode() == SIGNATURE


def test_two_verifiers_of_one_password_differ() -> None:
    assert verifier("pencil") != verifier("pencil")
    assert "pencil" not in verifier("pencil")
