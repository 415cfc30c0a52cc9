"""`ray job submit -- python -m ray_apps.tune --dataset … --out …`: the options of `posebot tune`.

Inside a job Ray sets RAY_ADDRESS, so that the cluster the job runs on is used. Data set, bundle and run folder must lie
where all nodes can reach them.
"""

import sys

from posebot.cli.main import run

if __name__ == "__main__":
    sys.exit(run(["tune", *sys.argv[1:]]))
