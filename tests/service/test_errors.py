"""Errors of the service and their HTTP responses."""

from __future__ import annotations

import json
import pickle

from posebot.core.error_codes import ERROR_CODES
from posebot.core.errors import PosebotError
from posebot.service import errors
from posebot.service.web.error_responses import error_response


def test_every_error_of_the_service_has_a_registered_code_and_status() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PosebotError)
               and kind not in (PosebotError, errors.Retryable)]
    assert len(classes) > 12
    for kind in classes:
        assert kind.code in ERROR_CODES, kind
        body = json.loads(bytes(error_response(kind("it failed")).body))
        assert body == {"error": {"code": kind.code, "message": "it failed"}}
        assert 400 <= error_response(kind("it failed")).status_code == ERROR_CODES[kind.code].http_status
    assert error_response(errors.Overloaded("busy")).headers["Retry-After"] == "1"
    copy = pickle.loads(pickle.dumps(errors.RateLimited("busy", 7)))
    assert (str(copy), copy.code, copy.retry_after_s) == ("busy", "rate_limited", 7)
