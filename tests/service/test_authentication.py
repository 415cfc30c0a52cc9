"""Nobody gets in without a key, wherever they try."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from posebot.service.auth.identity import PUBLIC, SCOPES
from posebot.service.auth.tokens import COOKIE
from posebot.service.web.app import create_app
from posebot.service.web.authentication import authenticate
from tests.service.helpers import Running

FREE = {"/v1/auth/login", "/v1/health/live", "/v1/health/ready", "/login", "/public/{path:path}", "/favicon.ico"}
VALUES = {"name": "loop", "path": "login.html", "job_id": "x", "obj_id": "1"}


def filled(path: str) -> str:
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
    return path


def walked(service: Running) -> list[Any]:
    """Every route, those of routers that FastAPI includes lazily too."""
    found = list(iter_route_contexts(create_app(service.services).routes))
    assert all(isinstance(one.original_route, APIRoute | APIWebSocketRoute) for one in found)  # no mount, nothing bare
    return found


def over_http(service: Running) -> list[Any]:
    return [route for route in walked(service) if isinstance(route.original_route, APIRoute)]


def test_every_route_is_behind_authentication(service: Running) -> None:
    routes = walked(service)
    assert len(routes) > 30
    for route in routes:
        calls = [dependency.call for dependency in route.dependant.dependencies]
        assert authenticate in calls, route.path
        assert getattr(route.endpoint, "scope", None) in (PUBLIC, *SCOPES), route.path
    assert {route.path for route in routes if route.endpoint.scope == PUBLIC} == FREE


def test_every_address_is_closed_to_strangers(service: Running) -> None:
    with service.client(None) as stranger:
        for route in over_http(service):
            if route.path not in FREE:
                for method in route.methods:
                    for headers in ({}, {"Authorization": "Bearer pb_00000000_x"}, {"Authorization": "Basic eDp5"},
                                    {"Cookie": f"{COOKIE}=x.y.z"}):
                        answer = stranger.request(method, filled(route.path), headers=headers)
                        assert answer.status_code in (401, 303), f"{method} {route.path}"


def test_a_strangers_body_is_not_even_looked_at(service: Running) -> None:
    with service.client(None) as stranger:
        for path in ("/v1/jobs", "/v1/streams/loop/robot-pose", "/v1/infer"):
            answer = stranger.post(path, content=b"{", headers={"Content-Type": "application/json"})
            assert answer.status_code == 401, path


def test_every_scope_opens_what_it_should_and_no_more(service: Running) -> None:
    for route in over_http(service):
        if route.path in FREE:
            continue
        for own in SCOPES[:SCOPES.index(route.endpoint.scope)]:
            with service.client(own) as client:
                for method in route.methods:
                    answer = client.request(method, filled(route.path))
                    assert answer.status_code == 403, f"{own}: {method} {route.path}"
                    assert answer.json()["error"]["code"] == "forbidden"


def test_websockets_need_a_fresh_ticket_and_the_own_origin(service: Running) -> None:
    address = service.base.replace("http", "ws") + "/v1/streams/loop/results"
    bearer = {"Authorization": f"Bearer {service.keys['admin']}"}
    with service.client() as client:
        def ticket() -> str:
            return str(client.post("/v1/auth/ticket").json()["ticket"])

        used = ticket()
        with connect(f"{address}?ticket={used}") as socket:
            assert json.loads(socket.recv())["type"] == "status"
        for attempt, headers in ((address, bearer), (f"{address}?ticket={used}", {}), (f"{address}?ticket=x", {}),
                                 (f"{address}?ticket={ticket()}", {"Origin": "https://evil.example"})):
            with pytest.raises(InvalidStatus) as refused:
                connect(attempt, additional_headers=headers)
            assert refused.value.response.status_code == 403
        with connect(f"{address}?ticket={ticket()}", additional_headers={"Origin": service.base}) as socket:
            assert json.loads(socket.recv())["type"] == "status"


def test_the_page_logs_in_with_a_cookie_that_scripts_and_other_sites_cannot_use(service: Running) -> None:
    with service.client(None) as browser:
        assert browser.get("/").status_code == 303
        assert browser.post("/v1/auth/login", json={"key": "pb_x_y"}).status_code == 401
        answer = browser.post("/v1/auth/login", json={"key": service.keys["operate"]})
        assert answer.json()["scopes"] == ["operate"]
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert browser.get("/v1/auth/me").json()["name"] == "operate"
        assert browser.get("/").status_code == 200
        assert browser.post("/v1/streams/once/stop", headers={"Origin": "https://evil.example"}).status_code == 403
        assert browser.post("/v1/streams/once/stop", headers={"Origin": service.base}).status_code == 200
        assert browser.post("/v1/auth/logout").status_code == 204
        assert browser.get("/v1/auth/me").status_code == 401


def test_a_revoked_key_ends_its_sessions_and_tickets(service: Running) -> None:
    store = service.services.authenticator.keys
    key, text = store.create("short", ["read"])
    with service.client(None) as browser:
        browser.post("/v1/auth/login", json={"key": text})
        ticket = browser.post("/v1/auth/ticket").json()["ticket"]
        store.revoke(key.id)
        assert browser.get("/v1/auth/me").status_code == 401
        with pytest.raises(InvalidStatus):
            connect(f"{service.base.replace('http', 'ws')}/v1/streams/loop/results?ticket={ticket}")


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/public/..%2findex.html",
                                  "/public/../../app.py", "/static//etc/passwd", "/static/%00", "/static/."])
def test_no_path_leads_out_of_the_pages_folder(service: Running, path: str) -> None:
    parts = urlsplit(service.base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", path, headers={"Authorization": f"Bearer {service.keys['admin']}"})
    assert connection.getresponse().status == 404
    connection.close()


def test_answers_carry_the_pages_policy(service: Running) -> None:
    with service.client() as client:
        for path in ("/login", "/", "/v1/info"):
            headers = client.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'self'")
            assert headers["x-content-type-options"] == "nosniff"
        page = client.get("/docs")
        assert "http" not in page.text.replace("http-equiv", "")
        for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
            assert client.get(f"/docs/{name}").status_code == 200


def test_a_body_that_never_ends_is_cut_off(service: Running) -> None:
    parts = urlsplit(service.base)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as raw:
        raw.sendall(f"POST /v1/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.keys['infer']}\r\n"
                    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(35):  # and no end
            raw.sendall(chunk)
        answer = raw.recv(4000)
    assert b"413" in answer.split(b"\r\n")[0]
