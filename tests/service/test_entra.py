"""A local issuer: a real HTTP server with a tenant's JWKS."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from posebot.service.auth.entra import EntraVerifier
from posebot.service.settings import Entra

TENANT, AUDIENCE = "11111111-2222-3333-4444-555555555555", "api://posebot"


@dataclass
class Issuer:
    """Signs tokens and publishes its keys. `asked`: how often they were fetched."""

    authority: str
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    asked: int = 0

    def add(self, kid: str) -> None:
        self.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}
                         for kid, key in self.keys.items()]}

    def token(self, kid: str = "one", algorithm: str = "RS256", key: Any = None, **changes: Any) -> str:
        now = time.time()
        claims = {"iss": f"{self.authority}/{TENANT}/v2.0", "aud": AUDIENCE, "tid": TENANT, "sub": "someone",
                  "iat": now, "nbf": now, "exp": now + 600, "roles": ["Posebot.Operator"]} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key or self.keys[kid], algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            body = json.dumps(found.jwks()).encode()
            self.send_response(200 if self.path == f"/{TENANT}/discovery/v2.0/keys" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Issuer(f"http://127.0.0.1:{server.server_port}")
    found.add("one")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def verifier(issuer: Issuer) -> EntraVerifier:
    roles = {"Posebot.Operator": ["read", "operate"], "Posebot.Reader": ["read"]}
    return EntraVerifier(Entra(tenant=TENANT, audience=AUDIENCE, roles=roles, authority=issuer.authority))


def test_a_good_token_gives_the_scopes_of_its_roles(issuer: Issuer, verifier: EntraVerifier) -> None:
    identity = verifier.verify(issuer.token(name="Robo Person"))
    assert identity is not None
    assert identity.scopes == ("read", "operate")
    assert identity.name == "Robo Person"
    reader = verifier.verify(issuer.token(roles=["Posebot.Reader", "Unknown"]))
    assert reader is not None and reader.scopes == ("read",)
    assert issuer.asked == 1


@pytest.mark.parametrize("changes", [
    {"iss": "https://evil/v2.0"}, {"aud": "api://other"}, {"tid": "other"}, {"exp": 1}, {"nbf": 1e11}, {"roles": None},
    {"roles": "Posebot.Operator"}, {"roles": ["Unknown"]}, {"sub": None}, {"exp": None}, {"tid": None}, {"aud": None},
])
def test_any_wrong_or_missing_claim_is_refused(issuer: Issuer, verifier: EntraVerifier,
                                               changes: dict[str, Any]) -> None:
    assert verifier.verify(issuer.token(**changes)) is None


def test_only_rs256_by_the_tenants_keys(issuer: Issuer, verifier: EntraVerifier) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for token in (issuer.token(key=stranger), issuer.token(algorithm="RS512"), issuer.token(algorithm="PS256"),
                  jwt.encode({"sub": "x"}, key=None, algorithm="none", headers={"kid": "one"}),
                  issuer.token(algorithm="HS256", key="a secret that is long enough for this algorithm"),
                  "", "a.b.c", "pb_x_y", issuer.token()[:-4] + "AAAA"):
        assert verifier.verify(token) is None


def test_new_keys_are_fetched_but_not_at_every_strangers_wish(issuer: Issuer, verifier: EntraVerifier,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    assert verifier.verify(issuer.token()) is not None
    issuer.add("two")
    for _ in range(5):
        assert verifier.verify(issuer.token("two")) is None
    assert issuer.asked == 1
    monkeypatch.setattr("posebot.service.auth.entra._REFETCH_S", 0.0)
    assert verifier.verify(issuer.token("two")) is not None
    assert issuer.asked == 2


def test_an_issuer_that_does_not_answer_lets_nobody_in() -> None:
    settings = Entra(tenant=TENANT, audience=AUDIENCE, roles={}, authority="http://127.0.0.1:9")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = jwt.encode({"sub": "x"}, key, "RS256", {"kid": "1"})
    assert EntraVerifier(settings).verify(token) is None
