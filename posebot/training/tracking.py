"""MLflow, kept at arm's length: training goes on whatever happens to its tracking.

By default everything lies in a local SQLite file (`runs/mlflow.db`) with images and files beside it (`runs/mlflow/`);
`MLFLOW_TRACKING_URI` names a server (or an Azure ML workspace) instead. Only what every MLflow server knows is used:
parameters, metrics, artifacts, tags.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXPERIMENT = "posebot"
_RUN_ID_FILE = "mlflow_run_id"


class Tracker:
    """One MLflow run that belongs to a run folder; a resumed training goes on in the same MLflow run.

    Args:
        run_dir: folder of the training run; holds the id of its MLflow run.
        root: folder of the default SQLite store (ignored where `MLFLOW_TRACKING_URI` is set).
        enabled: False makes every call a no-op.

    A failure of any call is warned of once and ends the tracking, never the training.
    """

    def __init__(self, run_dir: Path, root: Path = Path("runs"), enabled: bool = True) -> None:
        self.run_dir, self.root = Path(run_dir), Path(root)
        self._client: Any = None
        self._run_id = ""
        self._alive = enabled
        self._guard(self._open)

    @property
    def run_id(self) -> str:
        """Id of the MLflow run, "" when nothing is tracked."""
        return self._run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters; nested mappings become dotted names. Those already logged in this run are left alone."""
        self._guard(lambda: self._log_params(flatten(values)))

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Log one point of each curve. Values that are not finite are left out."""
        self._guard(lambda: self._log_metrics(step, values))

    def picture(self, name: str, rgb: NDArray[np.uint8]) -> None:
        """Log an image, uint8 (H, W, 3), as `pictures/NAME.png`."""
        self._guard(lambda: self._client.log_image(self._run_id, rgb, f"pictures/{name}.png"))

    def file(self, path: Path, folder: str = "") -> None:
        """Log a file as an artifact."""
        self._guard(lambda: self._client.log_artifact(self._run_id, str(path), folder or None))

    def close(self, succeeded: bool = True) -> None:
        """End the MLflow run. A later `Tracker` of the same folder opens it again."""
        self._guard(lambda: self._client.set_terminated(self._run_id, "FINISHED" if succeeded else "FAILED"))

    def _guard(self, call: Callable[[], object]) -> None:
        if not self._alive:
            return
        try:
            call()
        except Exception as error:  # tracking is a convenience: no failure of it may cost hours of training
            self._alive = False
            reason = (str(error).splitlines() or [""])[0]
            warnings.warn(f"MLflow tracking is off from here on: {type(error).__name__}: {reason}", stacklevel=3)

    def _open(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        from mlflow import MlflowClient

        for noisy in ("mlflow", "alembic"):  # importing MLflow sets them to INFO
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._client = MlflowClient(tracking_uri=self._uri())
        id_file = self.run_dir / _RUN_ID_FILE
        if id_file.exists() and self._reopen(id_file.read_text().strip()):
            return
        run = self._client.create_run(self._experiment(), run_name=self.run_dir.name)
        self._run_id = run.info.run_id
        self.run_dir.mkdir(parents=True, exist_ok=True)
        id_file.write_text(self._run_id)

    def _uri(self) -> str:
        if "MLFLOW_TRACKING_URI" in os.environ:
            return os.environ["MLFLOW_TRACKING_URI"]
        self.root.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{(self.root / 'mlflow.db').resolve()}"

    def _experiment(self) -> str:
        known = self._client.get_experiment_by_name(EXPERIMENT)
        if known is not None:
            return str(known.experiment_id)
        local = "MLFLOW_TRACKING_URI" not in os.environ
        location = (self.root / "mlflow").resolve().as_uri() if local else None
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=location))

    def _reopen(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_run(run_id)
        except MlflowException:  # another store than the last time
            return False
        self._client.set_terminated(run_id, "RUNNING")
        self._run_id = run_id
        return True

    def _log_params(self, values: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        known = self._client.get_run(self._run_id).data.params
        params = [Param(name, str(value)[:500]) for name, value in values.items() if name not in known]
        for start in range(0, len(params), 100):
            self._client.log_batch(self._run_id, params=params[start:start + 100])

    def _log_metrics(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in values.items() if np.isfinite(value)]
        self._client.log_batch(self._run_id, metrics=metrics)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping with dotted names: {"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
