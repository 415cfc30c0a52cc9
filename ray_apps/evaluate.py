"""`ray job submit -- python -m ray_apps.evaluate --dataset … --bundle … --out …`: `posebot evaluate` on a cluster.

Inside a job Ray sets RAY_ADDRESS, so that the cluster the job runs on is used; `--processes` is the number of workers,
0 for one per CPU of the cluster. Data set, bundle and report folder must lie where all nodes can reach them.
"""

import sys

from posebot.cli.main import run


def main(options: list[str]) -> int:
    """Evaluate, and return the exit code of `posebot evaluate`."""
    return run(["evaluate", "--ray", *options])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
