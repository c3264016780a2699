"""The SDK's own tests of a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_cognito.tap import TapCognito

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quickstart.pool import Pool

_config: dict[str, Any] = {"user_pool_id": "us-east-1_Replaced"}
_catalog = TapCognito(config=_config).catalog_dict
for _stream in _catalog["streams"]:
    for _entry in _stream["metadata"]:
        _entry["metadata"]["selected"] = True


@pytest.fixture(scope="module", autouse=True)
def _pool(moto_pool: Pool) -> Iterator[None]:
    # The class keeps the dictionary, and reads it when its tests run.
    with pytest.MonkeyPatch.context() as patch:
        # RFC 3339 wants an offset, which would be wrong in a database with another time zone.
        checkers = DEFAULT_JSONSCHEMA_VALIDATOR.FORMAT_CHECKER.checkers
        is_date_time = checkers["date-time"][0]
        patch.setitem(
            checkers,
            "date-time",
            (lambda value: not isinstance(value, str) or is_date_time(f"{value}Z"), ()),
        )
        for name, value in moto_pool.config.items():
            patch.setitem(_config, name, value)
        yield


TestTapCognito = get_tap_test_class(
    TapCognito,
    config=_config,
    catalog=_catalog,
    suite_config=SuiteConfig(
        max_records_limit=None,
        ignore_no_records_for_streams=[
            # moto's pool has none of these, or moto can't be asked.
            *("domains", "log_delivery", "resource_servers", "risk_configurations"),
        ],
    ),
)
