"""`ray job submit -- python -m ray_apps.synth --objects … --frames N --out …`: the options of `posebot synth`.

Images are rendered by processes of the node that the job runs on (`--workers`). Scenes depend on the seed alone, so
that several jobs, with a `--split` each, use a whole cluster. The data set must lie where all nodes can reach it.
"""

import sys

from posebot.cli.main import run

if __name__ == "__main__":
    sys.exit(run(["synth", *sys.argv[1:]]))
