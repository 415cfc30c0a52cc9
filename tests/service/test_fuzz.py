"""Requests that the schema allows, and some that it does not: never a server error, never in without a key.

Cases per operation: POSEBOT_FUZZ or 6; the long test asks 10,000 in all.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from tests.service.helpers import Running

ENDLESS = "/v1/streams/{name}/mjpeg"


def operations(service: Running) -> list[Any]:
    config = SchemathesisConfig()
    with service.client() as http:
        raw = http.get("/openapi.json").json()
    raw["paths"].pop(ENDLESS)
    schema = schemathesis.openapi.from_dict(raw, config=config)
    schema.config.update(base_url=service.base)
    return [found.ok() for found in schema.get_all_operations()]


def fuzzed(service: Running, examples: int) -> Counter[str]:
    """Counts of answers by status, and of cases."""
    seen: Counter[str] = Counter()
    for operation in operations(service):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            @settings(max_examples=examples, deadline=None, database=None, derandomize=True,
                      suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                key = {"Authorization": f"Bearer {service.keys['admin']}"}
                answer = case.call(headers=key, timeout=60)
                seen[str(answer.status_code)] += 1
                assert answer.status_code < 500 or answer.json()["error"]["code"] in ("unavailable", "overloaded"), (
                    case.as_curl_command(), answer.text)
                if not operation.definition.raw.get("security"):  # noqa: B023 (called at once)
                    return
                stranger = case.call(headers={"Authorization": "Bearer pb_0_0"}, timeout=60)
                assert stranger.status_code == 401, case.as_curl_command()
                seen["stranger"] += 1

            with suppress(Unsatisfiable):  # nothing can be wrong with a request that takes no argument
                ask()
    return seen


def test_no_request_breaks_the_service_or_gets_in_without_a_key(service: Running) -> None:
    seen = fuzzed(service, int(os.environ.get("POSEBOT_FUZZ", "6")))
    assert seen["stranger"] > 100
    print(dict(seen))


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_ten_thousand_requests(service: Running) -> None:
    seen = fuzzed(service, 220)
    print(dict(seen))
    assert sum(count for name, count in seen.items() if name != "stranger") >= 10_000
