"""Headless Chromium for tests, steered through its DevTools protocol: one tab, its contents and its complaints."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic",
          "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
          "--disable-dev-shm-usage", "--disable-extensions", "--mute-audio", "--remote-debugging-port=0",
          "--remote-allow-origins=*")
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37}


def chromium() -> str | None:
    """Path of a Chromium or Chrome on this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Tab:
    """One page. `problems`: errors of the console, failed loads and uncaught exceptions, as text, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._ids = socket, itertools.count(1)
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's result. Raises RuntimeError where the browser refuses it."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return dict(message["result"])
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(f"exception: {details.get('exception', {}).get('description', details['text'])}")
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            said = [str(part.get("value", part.get("description"))) for part in params["args"]]
            self.problems.append("console: " + " ".join(said))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(f"log: {params['entry']['text']} {params['entry'].get('url', '')}")

    def evaluate(self, expression: str) -> Any:
        """Value of JavaScript; a promise is awaited. Raises RuntimeError where it throws."""
        result = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True,
                           userGesture=True)
        if "exceptionDetails" in result:
            thrown = result["exceptionDetails"].get("exception", {})
            raise RuntimeError(f"{expression[:200]}: {thrown.get('description')}")
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 20.0) -> Any:
        """The first truthy value of it. AssertionError with what the page shows if there is none in time."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            shown = None if time.monotonic() < end else self.evaluate("document.body.innerText.slice(0, 1500)")
            assert shown is None, f"not within {seconds} s: {expression}\n{self.problems}\nthe page shows: {shown}"
            time.sleep(0.1)
        return value

    def goto(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        """Of the window, CSS pixels."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def prefers(self, scheme: str) -> None:
        """Colours of the system: "dark" or "light"."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def press(self, key: str, shift: bool = False) -> None:
        """A key of the keyboard, where the focus is."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **common, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Where the focus is."""
        self.send("Input.insertText", text=text)

    def text(self, selector: str) -> str:
        """What an element shows; "" where there is none."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def click(self, selector: str) -> None:
        """By its handler, wherever it lies."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """PNG of the window, or of the whole page."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(data["data"]))


@contextmanager
def opened(profile: Path) -> Iterator[Tab]:
    """A tab of a fresh browser, which ends with it. `profile`: an empty folder."""
    path = chromium()
    assert path, "no chromium"
    process = subprocess.Popen([path, *_FLAGS, f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        address = _address(profile / "DevToolsActivePort")
        with connect(address, max_size=None, max_queue=None, ping_interval=None) as socket:
            yield Tab(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(file: Path) -> str:
    """WebSocket of the first tab."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.1)
        if not file.exists() or not (port := file.read_text().partition("\n")[0]):
            continue
        targets = httpx.get(f"http://127.0.0.1:{port}/json", timeout=10).json()
        for target in targets:
            if target["type"] == "page":
                return str(target["webSocketDebuggerUrl"])
    raise AssertionError("chromium did not start within 60 s")
