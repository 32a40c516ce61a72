"""NATS's decentralised accounts, as far as a credentials file needs them: keys (nkeys), and the JWTs they sign."""

import base64
import hashlib
import json
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OPERATOR, ACCOUNT, USER, SEED = 14 << 3, 0, 20 << 3, 18 << 3


def _crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
            crc &= 0xFFFF
    return crc


def _text(raw):
    return base64.b32encode(raw + _crc16(raw).to_bytes(2, "little")).decode().rstrip("=")


def _part(value):
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


class Key:
    def __init__(self, kind):
        self._kind = kind
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self):
        raw = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return _text(bytes([self._kind]) + raw)

    @property
    def seed(self):
        raw = self._key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                      serialization.NoEncryption())
        # The kind's five bits are spread over the end of the first byte and the second.
        return _text(bytes([SEED | self._kind >> 5, (self._kind & 31) << 3]) + raw)

    def vouches(self, subject, name, **nats):
        """A JWT of this key about `subject`."""
        claims = {"iat": int(time.time()), "iss": self.public, "name": name, "sub": subject,
                  "nats": {"version": 2, **nats}}
        claims["jti"] = base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
        head = _part(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
        body = head + "." + _part(json.dumps(claims).encode())
        return body + "." + _part(self._key.sign(body.encode()))


class Accounts:
    """One operator with one account. `lines` go into a server's configuration."""

    def __init__(self):
        operator, self._account = Key(OPERATOR), Key(ACCOUNT)
        unlimited = {name: -1 for name in ("subs", "data", "payload", "imports", "exports", "conn", "leaf")}
        account = operator.vouches(self._account.public, "services", type="account",
                                   limits={**unlimited, "wildcards": True})
        self.lines = (f"operator: {operator.vouches(operator.public, 'operator', type='operator')}\n"
                      "resolver: MEMORY\n"
                      f"resolver_preload: {{ {self._account.public}: {account} }}")

    def credentials(self):
        """The text of a credentials file for a new user."""
        user = Key(USER)
        token = self._account.vouches(user.public, "service", type="user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
        return (f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")
