from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posebot.cli.main import run
from posebot.core.errors import InputError
from posebot.service import launch
from posebot.service.auth.identity import SCOPES, Identity
from posebot.service.auth.keys import KeyStore
from posebot.service.auth.tokens import TokenSigner


def test_a_key_opens_and_only_its_fingerprint_is_kept(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    key, text = store.create("robot", ["infer"])
    assert text.startswith(f"pb_{key.id}_")
    assert store.verify(text) == key
    assert text.split("_", 2)[2] not in "".join(file.read_text(errors="replace") for file in tmp_path.iterdir())
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@given(st.text(max_size=60))
def test_nothing_else_opens(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    store = KeyStore(tmp_path_factory.mktemp("keys"))
    key, _ = store.create("robot", ["infer"])
    for attempt in (text, f"pb_{key.id}_{text}", f"pb_{text}"):
        assert store.verify(attempt) is None


def test_expired_and_revoked_keys_are_closed_at_once_in_every_process(tmp_path: Path) -> None:
    now = [1000.0]
    store, other = (KeyStore(tmp_path, clock=lambda: now[0]) for _ in range(2))
    short, text = store.create("short", ["read"], days=1)
    long, lasting = store.create("long", ["read"])
    assert other.verify(text) == short
    now[0] += 86_401
    assert other.verify(text) is None
    assert other.verify(lasting) == long
    store.revoke(long.id)
    assert other.verify(lasting) is None
    assert [key.revoked_at is None for key in other.all()] == [True, False]


def test_bad_requests_for_keys_say_what_is_right(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    for wrong in (lambda: store.create("x", ["root"]), lambda: store.create("x", []),
                  lambda: store.create("x", ["read"], days=-1), lambda: store.revoke("nobody")):
        with pytest.raises(InputError):
            wrong()


def test_scopes_include_the_lower_ones() -> None:
    for index, own in enumerate(SCOPES):
        allowed = [scope for scope in SCOPES if Identity("x", "x", (own,)).may(scope)]
        assert allowed == list(SCOPES[:index + 1])


def test_tickets_open_once_and_are_no_sessions() -> None:
    signer, identity = TokenSigner(b"s" * 32), Identity("k1", "me", ("read",), None)
    ticket = signer.ticket(identity)
    assert signer.session_caller(ticket) is None
    assert signer.take_ticket(ticket) == identity
    assert signer.take_ticket(ticket) is None
    assert signer.take_ticket(signer.session(identity)) is None
    assert TokenSigner(b"t" * 32).take_ticket(signer.ticket(identity)) is None


def test_the_command_shows_a_key_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text("state: state\n")
    assert run(["keys", "create", "--name", "me", "--scope", "read", "--config", str(config)]) == 0
    shown = capsys.readouterr()
    text = shown.out.strip()
    assert f"to {tmp_path / 'state' / 'keys.json'};" in shown.err
    assert run(["keys", "list", "--json", "--config", str(config)]) == 0
    listed = capsys.readouterr().out
    assert text not in listed
    [key] = json.loads(listed)
    assert (key["name"], key["state"]) == ("me", "valid")
    assert run(["keys", "revoke", key["id"], "--config", str(config)]) == 0
    assert KeyStore(tmp_path / "state").verify(text) is None
    assert str(tmp_path / "state" / "keys.json") in capsys.readouterr().err
    assert run(["keys", "create", "--name", "me", "--scope", "root", "--config", str(config)]) == 2


def test_keys_and_serve_use_the_same_file_and_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, file = tmp_path / "etc" / "serve.yaml", tmp_path / "runs" / "serve" / "keys.json"
    config.parent.mkdir()
    config.write_text("port: 8123\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "run", lambda settings, address, ready, say: ready())
    assert run(["serve", "--config", str(config)]) == 0
    assert f"no valid key in {file}; create one: posebot keys create --name me" in capsys.readouterr().err
    assert run(["keys", "create", "--name", "me", "--scope", "read"]) == 0
    assert f"to {file};" in capsys.readouterr().err
    assert run(["serve", "--config", str(config)]) == 0
    assert capsys.readouterr().err == f"1 valid key in {file}\nready: http://127.0.0.1:8123\n"
