"""The page in headless Chromium, against a real service with a camera that can be stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from posebot.models.reference import resolve
from tests.service.helpers import CAMERA, Running, Service
from tests.service.page.browser import Tab, chromium, opened
from tests.service.page.camera import MjpegCamera
from tests.service.test_ray import free_port, serving

pytestmark = pytest.mark.skipif(chromium() is None, reason="no chromium on this machine")
FRESH = "document.getElementById('view-live').dataset.fresh"
HASH = "(() => { const c = document.getElementById('picture'); return c.width && c.toDataURL().slice(-4000); })()"
PATIENCE = 60.0  # seconds; on an idle machine all of these waits are over in one or two


@dataclass
class Stage:
    """All that a test has: the camera, the service, the page."""

    camera: MjpegCamera
    service: Running
    tab: Tab

    def sign_in(self) -> None:
        self.tab.goto(f"{self.service.base}/login")
        self.tab.evaluate("document.getElementById('key').focus()")
        self.tab.type(self.service.keys["operate"])
        self.tab.press("Enter")
        self.tab.wait("document.querySelector('#view-live:not([hidden])') !== null", PATIENCE)

    def show(self, view: str) -> None:
        self.tab.evaluate(f"location.hash = {json.dumps(view)}")
        self.tab.wait(f"document.getElementById('view-{view.partition('/')[0]}')?.hidden === false", PATIENCE)

    def until(self, kind: str) -> None:
        self.tab.wait(f"{FRESH} === {json.dumps(kind)}", PATIENCE)

    def until_text(self, selector: str, text: str) -> None:
        shown = f"document.querySelector({json.dumps(selector)})?.innerText"
        self.tab.wait(f"{shown}?.includes({json.dumps(text)})", PATIENCE)


@pytest.fixture(scope="module")
def stage(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("page")
    with MjpegCamera() as camera:
        base_from_cam = [1, 0, 0, 0.5, 0, -1, 0, 0, 0, 0, -1, 0.8, 0, 0, 0, 1]
        cameras = {
            "wrist": {"kind": "rtsp", "source": camera.address, "intrinsics": CAMERA, "base_from_cam": base_from_cam},
            "gone": {"kind": "folder", "source": str(folder / "nothing"), "intrinsics": CAMERA},
        }
        config = folder / "serve.yaml"
        config.write_text(yaml.safe_dump({
            "state": "state", "bundles": {"tiny": str(tiny_bundle), "second": str(tiny_bundle)}, "active": "tiny",
            "cameras": cameras, "streams": {"wrist": {"autostart": True}}}))
        with Service(config) as service, opened(folder / "browser") as tab:
            yield Stage(camera, service, tab)


@pytest.fixture
def page(stage: Stage) -> Iterator[Stage]:
    """Signed in, the live view of a running camera; afterwards the browser must have had nothing to complain of."""
    with stage.service.client("operate") as client:
        client.post("/v1/streams/wrist/start").raise_for_status()
        client.post("/v1/models/tiny/activate").raise_for_status()
    stage.camera.playing.set()
    stage.tab.size(1280, 860)
    stage.tab.goto("about:blank")  # else it is the same document, with what was opened and focused in it
    stage.tab.goto(f"{stage.service.base}/#live/wrist")
    if stage.tab.evaluate("location.pathname") == "/login":
        stage.sign_in()
    stage.tab.problems.clear()
    stage.show("live/wrist")
    stage.until("live")
    yield stage
    assert stage.tab.problems == []


def test_a_visitor_without_a_key_sees_the_login_page_and_a_wrong_key_is_refused_in_words(stage: Stage) -> None:
    tab = stage.tab
    tab.send("Network.clearBrowserCookies")
    tab.goto(f"{stage.service.base}/")
    assert tab.evaluate("location.pathname") == "/login"
    tab.evaluate("document.getElementById('key').focus()")
    tab.type("pb_00000000_nothing")
    tab.press("Enter")
    stage.until_text("#problem", "not valid")
    assert tab.evaluate("document.activeElement.id") == "key"
    stage.sign_in()


def test_frames_advance(page: Stage) -> None:
    first = page.tab.wait(HASH, PATIENCE)
    page.tab.wait(f"{HASH} !== {json.dumps(first)}", PATIENCE)
    page.until_text("#age", "age")
    page.until_text("#timing", "ms")
    assert "Running" in page.tab.text("#stream-state")
    assert page.tab.evaluate("document.title") == "wrist – posebot"


def test_a_camera_that_stops_is_told_and_its_age_counts_until_it_is_back(page: Stage) -> None:
    page.camera.playing.clear()
    page.until("stale")
    page.until_text("#banner", "Stale")
    old = page.tab.text("#banner .banner-age")
    assert "old" in old
    page.tab.wait(f"document.querySelector('#banner .banner-age').innerText !== {json.dumps(old)}", PATIENCE)
    assert page.tab.evaluate("document.title").startswith("STALE")
    assert "grayscale" in page.tab.evaluate("getComputedStyle(document.getElementById('picture')).filter")
    page.camera.playing.set()
    page.until("live")
    assert page.tab.evaluate("document.getElementById('banner').hidden")


def test_a_lost_service_is_told_and_the_page_comes_back_by_itself(page: Stage) -> None:
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.tab.send("Network.emulateNetworkConditions", offline=True, **offline)
    page.until("lost")
    page.until_text("#banner", "Connection lost")
    assert "Unknown" in page.tab.text("#stream-state")
    page.tab.send("Network.emulateNetworkConditions", offline=False, **offline)
    page.until("live")
    page.tab.problems.clear()  # Chromium logs every request that failed


def test_streams_stop_and_start_and_errors_are_explained(page: Stage) -> None:
    page.show("streams")
    row = "tr[data-stream=wrist]"
    page.until_text(row, "Running")
    page.tab.click(f"{row} [data-id=switch]")
    page.until_text(row, "Stopped")
    page.until_text(".events", "Stopped")
    page.show("live/wrist")
    page.until("stopped")
    page.tab.click("#banner button")
    page.until("live")
    page.show("streams")
    page.tab.click("tr[data-stream=gone] [data-id=switch]")
    page.until_text("tr[data-stream=gone]", "Check the address, device number or path in the configuration")
    page.until_text("#stream-errors", "1 error")
    with page.service.client("operate") as client:
        client.post("/v1/streams/gone/stop").raise_for_status()


def test_a_link_with_a_key_signs_in_and_forgets_it(page: Stage) -> None:
    page.tab.goto(f"{page.service.base}/login#key={page.service.keys['operate']}")
    page.tab.wait("document.querySelector('#view-live:not([hidden])') !== null", PATIENCE)
    assert "key" not in page.tab.evaluate("location.href")
    page.tab.goto(f"{page.service.base}/login#key=pb_0_wrong")
    page.tab.wait("!document.getElementById('problem').hidden", PATIENCE)
    assert page.tab.evaluate("location.href").endswith("/login")
    page.tab.problems.clear()  # Chromium logs the 401
    page.sign_in()


def test_a_model_is_activated_after_a_question_that_escape_denies(page: Stage) -> None:
    page.show("models")
    page.until_text("tr[data-model=tiny]", "Active")
    page.until_text("#view-models", "Diameter")
    page.tab.click("tr[data-model=second] button[aria-label^=Activate]")
    page.tab.wait("document.getElementById('dialog').open", PATIENCE)
    page.tab.press("Escape")
    page.tab.wait("!document.getElementById('dialog').open", PATIENCE)
    assert "Active" not in page.tab.text("tr[data-model=second] td[data-label=State]")
    page.tab.click("tr[data-model=second] button[aria-label^=Activate]")
    page.tab.wait("document.getElementById('dialog').open", PATIENCE)
    page.tab.click("#dialog .primary")
    page.until_text("tr[data-model=second] td[data-label=State]", "Active")
    page.until_text("#service", "model second")


def test_jobs_without_a_cluster_are_refused_in_words(page: Stage) -> None:
    page.show("jobs")
    page.tab.wait("document.querySelectorAll('#job-kind option').length > 2", PATIENCE)
    page.tab.click(".job-form button[type=submit]")
    page.until_text(".job-form .problem", "no Ray cluster")
    page.tab.problems.clear()  # Chromium logs the 503


def test_the_keyboard_reaches_everything_with_a_visible_focus(page: Stage) -> None:
    seen = []
    page.tab.evaluate("document.activeElement.blur()")
    for _ in range(14):
        page.tab.press("Tab")
        seen.append(page.tab.evaluate("document.activeElement.id || document.activeElement.innerText"))
        outline = page.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", f"no focus ring on {seen[-1]}"
    assert seen[0] == "skip"
    assert seen[1:6] == ["posebot", "Live", "Streams", "Jobs", "Models"]
    assert "stream" in seen and "Outlines" in seen
    page.tab.evaluate("document.getElementById('who').focus()")
    page.tab.press("Enter")
    page.tab.wait("document.getElementById('menu').open", PATIENCE)
    page.tab.press("Escape")
    page.tab.wait("!document.getElementById('menu').open", PATIENCE)
    assert page.tab.evaluate("document.activeElement.id") == "who"


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(page: Stage, width: int) -> None:
    page.tab.size(width, 844)
    for view in ("live", "streams", "jobs", "models"):
        page.show(view)
        page.tab.wait(f"document.querySelector('#view-{view}').innerText.length > 40", PATIENCE)
        assert page.tab.evaluate("document.documentElement.scrollWidth") <= width, view


def test_colours_follow_the_system_until_somebody_chooses(page: Stage) -> None:
    tab = page.tab
    theme = "document.documentElement.dataset.theme"
    for scheme in ("dark", "light"):
        tab.prefers(scheme)
        tab.wait(f"{theme} === '{scheme}'", PATIENCE)
    choose = "(v) => { const s = document.getElementById('theme'); s.value = v; s.dispatchEvent(new Event('change')); }"
    tab.evaluate(f"({choose})('dark')")
    assert tab.evaluate(theme) == "dark"
    tab.evaluate(f"({choose})('auto')")
    assert tab.evaluate(theme) == "light"


def test_everything_comes_from_the_service_itself(page: Stage) -> None:
    addresses = page.tab.evaluate("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)")
    assert set(addresses) == {page.service.base}
    policy = httpx.get(f"{page.service.base}/login").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_simulated_camera_is_watched_and_a_job_is_submitted_and_finished(tmp_path: Path) -> None:
    """All of it as a user has it: `posebot serve` on Ray, the bundled model, Ray's job submission."""
    config = tmp_path / "serve.yaml"
    config.write_text(yaml.safe_dump({
        "state": "state", "port": free_port(), "jobs": {"folder": "jobs"}, "stale_after_s": 60,
        "cameras": {"wrist": {"kind": "sim", "fps": 10}}, "streams": {"wrist": {"autostart": True}}}))
    shutil.copytree(resolve("kit") / "models", tmp_path / "jobs" / "models")
    with serving(config) as service, opened(tmp_path / "browser") as tab:
        tab.goto(f"{service.base}/")
        tab.evaluate("document.getElementById('key').focus()")
        tab.type(service.key)
        tab.press("Enter")
        tab.wait("document.querySelectorAll('#objects tr[data-key]').length > 2", 180)
        tab.wait("document.querySelector('#objects tr[data-status=ok] .col-x')?.innerText.match(/\\d/) !== null", 120)
        tab.evaluate("location.hash = 'jobs'")
        tab.wait("document.querySelectorAll('#job-kind option').length > 2", 60)
        tab.evaluate("(() => { const kind = document.getElementById('job-kind'); kind.value = 'synth';"
                     " kind.dispatchEvent(new Event('change')); })()")
        for name, value in {"objects": "models", "frames": "2", "out": "made"}.items():
            tab.evaluate(f"document.getElementById('argument-{name}').focus()")
            tab.type(value)
        tab.press("Enter")
        row = "document.querySelector('[data-job] [data-id=status]')?.innerText"
        tab.wait(f"{row}?.includes('Succeeded') || {row}?.includes('Failed')", 300)
        assert "Succeeded" in tab.text("[data-job] [data-id=status]"), tab.text("pre.log")
        tab.wait("document.querySelector('pre.log').innerText.length > 20", 60)
        assert (tmp_path / "jobs" / "made" / "train").is_dir()
        assert tab.problems == []
