"""The SDK's own tests of a tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from emulator import Emulator, Pool
from tap_cognito.streams import NAMES
from tap_cognito.tap import TapCognito
from tests.support.catalogs import selected
from tests.support.in_process import answer_in_process
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from collections.abc import Iterator

_config: dict[str, Any] = {"user_pool_id": "us-east-1_Replaced"}


@pytest.fixture(scope="module", autouse=True)
def _pool() -> Iterator[None]:
    # The class keeps the dictionary, and reads it when its tests run.
    emulator = Emulator(Pool(130))
    with pytest.MonkeyPatch.context() as patch:
        answer_in_process(emulator, patch)
        # RFC 3339 wants an offset, which would be wrong in a database with another time zone.
        checkers = DEFAULT_JSONSCHEMA_VALIDATOR.FORMAT_CHECKER.checkers
        is_date_time = checkers["date-time"][0]
        patch.setitem(
            checkers,
            "date-time",
            (lambda value: not isinstance(value, str) or is_date_time(f"{value}Z"), ()),
        )
        for name, value in emulator_config(emulator).items():
            patch.setitem(_config, name, value)
        yield


TestTapCognito = get_tap_test_class(
    TapCognito,
    config=_config,
    catalog=selected(*NAMES),
    suite_config=SuiteConfig(max_records_limit=None),
)
