"""The secret that signs user tokens, kept in the state folder, and tokens signed with it."""

import base64
import hashlib
import hmac
import json
import secrets
import time


def jwt_secret(state):
    path = state / "jwt-secret"
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text().strip()


def user_token(secret, user, days):
    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    def part(value):
        return encoded(json.dumps(value, separators=(",", ":")).encode())

    now = int(time.time())
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part({"sub": user, "iat": now, "exp": now + days * 86400})
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encoded(signature)).decode()
