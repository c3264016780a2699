"""Proves that the segments of a pool return all of its users, or else that it can't be divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.listing import PAGE_SIZE
from tap_cognito.cognito.segments import DIGITS, all_start_with, sub_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, Page

_TRIAL_PAGES = 2
"""Pages of each segment after which their fill is compared with that of the plain listing."""

_MIN_FILL = 0.25
"""Share of the plain listing's users per page below which segments cost more than they save."""

_MAX_MISSING = 0.01
"""Share of the estimated users that may be missing: the estimate isn't exact."""


class NotDivisible(Exception):  # noqa: N818 - it leads to another way of reading
    """The pool can't be read in segments after all; the text says why."""


class SegmentProofs:
    """What the segments of a pool are compared with.

    Args:
        first: The users of the plain listing's first page. Each must come in its segment, or be
            gone.
    """

    def __init__(self, first: Iterable[Item] = ()) -> None:
        self._first = list(first)
        self._trial_pages = self._trial_users = 0
        self.restart()

    def restart(self) -> None:
        """Begin again, with other segments."""
        self._unseen = {user["Username"]: sub_of(user) for user in self._first}

    def receive(self, prefix: str, page: Page) -> None:
        """Compare a page of a segment.

        Raises:
            NotDivisible: If a user of another segment is in it.
        """
        if not all_start_with(prefix, page.items):
            raise NotDivisible("the endpoint ignores the filter `sub ^=`")
        for user in page.items:
            self._unseen.pop(user["Username"], None)

    def unseen(self, prefix: str) -> list[str]:
        """Return the names of the first page's users who haven't come in their segment."""
        return [name for name, sub in self._unseen.items() if sub.startswith(prefix)]

    def receive_lookup(self, name: str, page: Page) -> None:
        """Compare what a look-up of an unseen user returns.

        Raises:
            NotDivisible: If the user is in the pool.
        """
        if any(user["Username"] == name for user in page.items):
            raise NotDivisible("a user of its first page came in no segment")
        if page.token is None:  # deleted meanwhile
            self._unseen.pop(name, None)

    def check_fill(self, page: Page) -> None:
        """Compare the fill of the segments' pages, once, with that of the plain listing's first.

        Raises:
            NotDivisible: If segments have far fewer users per page.
        """
        self._trial_pages += 1
        self._trial_users += len(page.items)
        expected = _MIN_FILL * len(self._first) * self._trial_pages
        if self._trial_pages == _TRIAL_PAGES * len(DIGITS) and self._trial_users < expected:
            raise NotDivisible("the endpoint applies filters after it has cut the pages")

    @staticmethod
    def check_count(checkpoint: Checkpoint) -> None:
        """Compare the number of users with the estimate, once all segments are complete.

        Raises:
            NotDivisible: If too many are missing.
        """
        count, estimate = checkpoint.count, checkpoint.estimate or 0
        is_under_way = len(checkpoint.done) < len(checkpoint.segments)
        if not is_under_way and estimate - count > max(PAGE_SIZE, _MAX_MISSING * estimate):
            raise NotDivisible(f"{count:,} of about {estimate:,} users came in the segments")
