"""Starting Ray on this machine, also while it does other things. Needs nothing of training."""

from __future__ import annotations

from collections.abc import Callable

from posebot.core.errors import PosebotError

START_TRIES = 3


def patiently(start: Callable[[], object]) -> None:
    """Start a cluster of one's own. Ray gives its node 30 seconds, which a busy machine may not make at once."""
    import ray

    for left in reversed(range(START_TRIES)):
        try:
            start()
            return
        except (ConnectionError, ValueError):
            raise
        except Exception as error:  # Ray raises plain Exception here
            ray.shutdown()
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            if not left:
                raise PosebotError(f"Ray did not start ({reason}); try again when the machine is less busy, or leave "
                                   "Ray out where a --no-… option offers it") from None
