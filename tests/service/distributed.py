"""`python -m tests.service.distributed CONFIG STATE PORT OUT`: the distributed profile on a cluster of two nodes.

In a process of its own, as it makes a Ray cluster. Writes what it was told, and how long that took, to OUT.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from ray.cluster_utils import Cluster
from ray.util.state import list_actors

from posebot.service import launch
from posebot.service.auth.keys import KeyStore
from posebot.service.settings import load_settings
from tests.service.helpers import CAMERA, depth_picture, free_port, picture


def main(config: str, state: str, port: str, out: str) -> None:
    # a service that runs on this machine may have the dashboard's usual port
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "dashboard_port": free_port()})
    cluster.add_node(num_cpus=1)
    settings = load_settings(config, profile="distributed", state=state, port=int(port))
    launch.start(settings, cluster.address)
    key = KeyStore(settings.state).create("test", ["admin"])[1]
    http = httpx.Client(base_url=launch.address_of(settings), headers={"Authorization": f"Bearer {key}"}, timeout=100)
    answers = [ask(http) for _ in range(20)]
    alive = actors()
    nodes = Counter(actor.node_id for actor in alive if "ServeReplica" in actor.class_name)
    activated = http.post("/v1/models/second/activate").json()
    Path(out).write_text(json.dumps({
        "estimates": answers[-1][0]["estimates"], "ms": sorted(ms for _, ms in answers)[10],
        "stage_ms": answers[-1][0]["stage_ms"], "nodes": list(nodes.values()), "activated": activated}))
    launch.stop()
    cluster.shutdown()


def actors(patience_s: float = 90.0) -> list[Any]:
    """Those that are alive. Ray's dashboard, which knows them, may come up long after everything else."""
    end = time.monotonic() + patience_s
    while True:
        try:
            return list(list_actors(filters=[("state", "=", "ALIVE")], detail=True))
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(2.0)


def ask(http: httpx.Client) -> tuple[dict[str, Any], float]:
    start = time.perf_counter()
    answer = http.post("/v1/infer", files={"image": picture(), "depth": depth_picture()},
                       data={"camera": json.dumps(CAMERA)})
    assert answer.status_code == 200, answer.text
    return answer.json(), 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
