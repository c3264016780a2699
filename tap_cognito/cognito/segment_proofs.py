"""Proves that the segments of a pool return all of its users, or else that it can't be divided."""

from __future__ import annotations

from math import ceil, log, sqrt
from statistics import median
from typing import TYPE_CHECKING

from tap_cognito.cognito.estimates import agree, ended_early, is_far_short, is_short
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

_DEVIATIONS = 5
"""Standard deviations by which a sixteenth of the pool may be smaller than the others."""

_DOUBT = 0.001
"""Probability with which a sample may miss that users are in no segment."""


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
        self._was_read_again = self._is_sampled = False
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

    def check_count(
        self, checkpoint: Checkpoint, plain_count: int | None = None
    ) -> tuple[tuple[str, ...], int]:
        """Compare the number of users with the estimate, once all segments are complete.

        Args:
            checkpoint: How far the segments are read.
            plain_count: How many users the plain listing returned, if it was read before.

        Returns:
            The first digits of segments to read again, which have fewer users than the others, and
            how many pages of the plain listing to look at as a sample.

        Raises:
            TapCognitoError: If the plain listing returned another number of users.
            NotDivisible: If more are missing than a clean-up explains, or still are.
        """
        count, estimate = checkpoint.count, checkpoint.estimate
        is_under_way = len(checkpoint.done) < len(checkpoint.segments)
        if not is_under_way and plain_count is not None:
            if not agree(plain_count, count):
                raise ended_early(plain_count, estimate)
            return (), 0
        if is_under_way or self._is_sampled or not is_short(count, estimate):
            return (), 0
        spread = [checkpoint.spread.get(digit, 0) for digit in DIGITS]
        expected = median(spread)
        least = expected - _DEVIATIONS * sqrt(expected)
        again = tuple(d for d, n in zip(DIGITS, spread, strict=True) if n < least)
        if (
            is_far_short(count, estimate)
            or sum(spread) != count
            or (again and self._was_read_again)
        ):
            raise _missing(checkpoint)
        if again:
            self._was_read_again = True
            return again, 0
        self._is_sampled = True
        share = 1 - count / (estimate or count)
        return (), ceil(log(_DOUBT) / log(1 - share) / PAGE_SIZE)

    @staticmethod
    def receive_sample(checkpoint: Checkpoint, page: Page) -> None:
        """Look at a page of the plain listing.

        Raises:
            NotDivisible: If a user is in no segment.
        """
        if not all_start_with(tuple(DIGITS), page.items):
            raise _missing(checkpoint)


def _missing(checkpoint: Checkpoint) -> NotDivisible:
    count, estimate = checkpoint.count, checkpoint.estimate or 0
    return NotDivisible(f"{count:,} of about {estimate:,} users came in the segments")
