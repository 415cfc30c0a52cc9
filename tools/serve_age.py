"""Age of results at a client, and growth of the service's memory: `python tools/serve_age.py --minutes 10`.

Starts `posebot serve` on the simulated wrist camera at 10 frames a second and subscribes to its results as a robot.
Prints the age of results on arrival, less the pipeline's own time, in frame intervals, and the resident memory of the
stream's processes after two minutes and at the end.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from serving import serving

from posebot.client import Client

_PORT, _FPS, _SETTLED_S = 8919, 10.0, 120.0


def resident() -> dict[str, tuple[float, float]]:
    """Megabytes of the stream's actor and of the replicas, by name: resident (RSS) and anonymous memory.

    The rest of RSS is mapped files of libraries, and Ray's shared object store, which counts in every process.
    """
    memory: dict[str, tuple[float, float]] = {}
    for entry in Path("/proc").iterdir():
        try:
            title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines())
            resident_mb, anonymous_mb = (int(status[kind].split()[0]) * 1024 / 1e6 for kind in ("VmRSS", "RssAnon"))
        except (OSError, ValueError, KeyError):
            continue
        if title.startswith(("ray::StreamActor", "ray::ServeReplica:posebot")):
            name = title.removeprefix("ray::").split(".")[0].split()[0]
            before = memory.get(name, (0.0, 0.0))
            memory[name] = (before[0] + resident_mb, before[1] + anonymous_mb)
    return memory


def subscribe(client: Client, seconds: float) -> None:
    """Receive results and print the figures."""
    ages, pipeline, memory = [], [], []
    start = time.monotonic()
    for live in client.stream("wrist").live():
        now = time.monotonic() - start
        ages.append(live.age_ms)
        pipeline.append(live.result.stage_ms["total"])
        if not memory or now > memory[-1][0] + 10:
            memory.append((now, resident()))
        if now > seconds:
            break
    above = (np.array(ages) - np.array(pipeline)) * _FPS / 1000
    median, p99 = np.quantile(above, [0.5, 0.99])
    print(f"{len(ages)} results in {seconds / 60:.1f} minutes; pipeline p50 {np.median(pipeline):.0f} ms, age p50 "
          f"{np.median(ages):.0f} ms, p99 {np.quantile(ages, 0.99):.0f} ms")
    print(f"age above the pipeline, frame intervals of {1000 / _FPS:.0f} ms: p50 {median:.2f}, p99 {p99:.2f} "
          "(targets 1.5 and 3)")
    settled = next((entry for entry in memory if entry[0] >= min(_SETTLED_S, seconds / 2)), memory[0])
    for name, first in settled[1].items():
        last = memory[-1][1].get(name, (np.nan, np.nan))
        for kind, before, after in zip(("resident", "anonymous"), first, last, strict=True):
            print(f"{kind} memory of {name}: {before:.0f} MB after {settled[0]:.0f} s, {after:.0f} MB at the "
                  f"end ({100 * (after / before - 1):+.1f} %; target +2 %)")


def main(bundle: str, seconds: float) -> None:
    """Serve and measure."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        where = str(Path(bundle).resolve()) if Path(bundle).exists() else bundle
        (folder / "serve.yaml").write_text(yaml.safe_dump({
            "state": "state", "port": _PORT, "bundles": {"it": where}, "active": "it",
            "cameras": {"wrist": {"kind": "sim", "fps": _FPS, "bundle": where}}}))
        with serving(folder / "serve.yaml", _PORT) as client:
            client.stream("wrist").start()
            subscribe(client, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="kit")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    main(options.bundle, 60 * options.minutes)
