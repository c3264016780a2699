"""The base of the streams that cost a request for each user: their operations and their pace."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cognito.cognito.details import Alternatives, Detail
from tap_cognito.cognito.quotas import category_of
from tap_cognito.cognito.user_details import UserDetails
from tap_cognito.replication.stream import CognitoStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Tap

    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, Listing, UserPool
    from tap_cognito.cognito.source import Source
    from tap_cognito.replication.columns import Column

PACE_SETTINGS = {
    "UserRead": "user_mfa_requests_per_second",
    "UserResourceRead": "user_details_requests_per_second",
}
"""The setting of the pace of each quota of requests on one user."""

_HOUR = 3600


class PerUserStream(CognitoStream):
    """A stream with one request for each user, or several where answers are paged."""

    is_filtered = True
    details: ClassVar[Sequence[Detail]]
    """The operations that return it, the best one first."""
    personal: ClassVar[Sequence[Column]] = ()
    """Columns that exist only if the setting `personal_columns` names them."""

    def __init__(self, tap: Tap, *args: Any) -> None:
        named = tap.config.get("personal_columns") or ()
        asked = [column for column in self.personal if f"{self.name}.{column.name}" in named]
        self.columns = (*self.columns, *asked)
        self._alternatives = Alternatives(*self.details)
        self._is_announced = False
        super().__init__(tap, *args)

    def gate(self, pool: UserPool) -> Listing | None:  # noqa: ARG002
        """Return what says whether a pool has what is read, if there is such an operation."""
        return None

    def is_open(self, answer: Item) -> bool:  # noqa: ARG002
        """Whether the answer to this says so."""
        return True

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Request each user of the pool."""
        return UserDetails(
            pool,
            self._alternatives,
            self.config.get("user_filter"),
            prove_empty=self.is_mirror,
            gate=self.gate(pool),
            is_open=self.is_open,
            announce=partial(self._announce, pool),
            since=self.bookmarks.since(pool.id) if self.bookmarks else None,
        )

    def _announce(self, pool: UserPool, users: int) -> None:
        """Say once, before the first user is requested, how long that takes."""
        if self._is_announced:
            return
        self._is_announced = True
        pools = sum(len(region.pool_ids) for region in self._regions())
        setting = PACE_SETTINGS[category_of(self.details[0].operation)]
        pace = self.config[setting]
        seconds = users / pace
        shown = f"{seconds / _HOUR:,.1f} hours" if seconds > _HOUR else f"{seconds:,.0f} seconds"
        self.logger.info(
            "One request for each of about %s users%s, at %s a second (`%s`), takes about %s; the "
            "quota is that of the sign-ins",
            f"{users:,}",
            f" of {pool.id}, one of {pools:,} pools" if pools > 1 else "",
            pace,
            setting,
            shown,
        )
