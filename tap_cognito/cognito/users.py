"""The users of a pool as listings: one, or segments by `sub` that can be read side by side.

ListUsers returns one page after another, so a single listing is bound by round trips.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_cognito.cognito import estimates
from tap_cognito.cognito.filters import FilterCheck, equals
from tap_cognito.cognito.listing import PAGE_SIZE, LoopDetector, Page
from tap_cognito.cognito.segment_proofs import NotDivisible, SegmentProofs
from tap_cognito.cognito.segments import DIGITS, all_start_with, divide, sub_of
from tap_cognito.cognito.sent_items import SentItems
from tap_cognito.cognito.source import Source
from tap_cognito.errors import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Listing, UserPool
    from tap_cognito.errors import TapCognitoError

_SMALL_POOL = 10 * PAGE_SIZE
"""Number of users up to which segments aren't worth their requests."""

LARGE_POOL = 1_000_000
"""Number of users above which segments are divided further: an interruption then costs little."""

_BARELY_STARTED = LARGE_POOL // 100
"""Number of users up to which a scan may start again with smaller segments."""

_REMEMBERED = 100_000
"""Users of complete segments who aren't sent again if the pool must be read in one listing."""

logger = logging.getLogger("tap-cognito.users")


class UserListings(Source):
    """All users of one pool, each once.

    The plain listing's first page and the first page of one segment decide whether the pool is
    worth dividing. If the segments can't be proven to return every user, the pool is read in one
    listing after all.

    Args:
        pool: The pool.
        user_filter: A filter of ListUsers; with it there is only one listing.
        checkpoint: How far an earlier run came.
        prove_empty: Whether a pool that returns no user must report that it is empty.
    """

    def __init__(
        self,
        pool: UserPool,
        user_filter: str | None = None,
        checkpoint: Checkpoint | None = None,
        *,
        prove_empty: bool = False,
    ) -> None:
        super().__init__(pool.id, checkpoint)
        self._pool = pool
        self._describe = pool.description.optional()
        self._prove_empty = prove_empty
        self._plain = self._users(user_filter)
        self._is_divisible = not user_filter
        self._filter = FilterCheck(user_filter)
        self._sent = SentItems(_REMEMBERED)
        self._sent.is_complete = not self.checkpoint.segments
        self._first = Page([], None)
        self._loops = LoopDetector()
        self._end = estimates.PlainEnd()
        self._is_estimated = False
        self._segment_count: int | None = None
        self._plain_count: int | None = None
        self._proofs = SegmentProofs()
        self._count = self.checkpoint.count
        self._counts: dict[str, int] = {}
        self._receivers: dict[str, Callable[[Listing, Page], None]] = {}

    def start(self) -> None:
        """Start with the first page of the pool, or with the remaining segments."""
        segments, done = self.checkpoint.segments, self.checkpoint.done
        left = [prefix for prefix in segments if prefix not in done]
        if segments and (not left or self.checkpoint.estimate is None):
            # It remains to be proven that no user is missing.
            self._ask(self._describe, self._receive_estimate)
        if segments:
            self._ask_segments(left)
        elif self._is_divisible:
            self._ask(self._plain.part(pages=1), self._receive_first)
        else:
            self._ask(self._plain, self._receive_plain)

    def receive(self, listing: Listing, page: Page) -> None:
        """Take a page of users, or the answer to another request."""
        try:
            self._receivers[listing.name](listing, page)
        except NotDivisible as reason:
            self._fall_back(str(reason))

    def restart(self, listing: Listing) -> None:
        """Don't send a user twice."""
        self._sent.restart(listing)
        self._counts.pop(listing.name, None)
        if listing.name == self._plain.name and not self.checkpoint.segments:
            self._end.restart()
            self._loops = LoopDetector()

    def fail(self, listing: Listing, error: TapCognitoError) -> None:
        """Do without optional requests; read the pool in one listing if filters are refused."""
        if listing.name == self._describe.name:
            # A reader of users may lack the permission.
            self._is_estimated = True
            if not self.checkpoint.segments:
                if self._prove_empty and not self._count:
                    estimates.prove_empty(None, error)
                self._prove_end()
        elif listing.name == self._plain.name or not isinstance(error, InvalidParameterError):
            raise error
        else:
            self._fall_back("the endpoint refuses the filter `sub ^=`, or a token of it")

    def _ask(self, listing: Listing, receiver: Callable[[Listing, Page], None]) -> None:
        self._receivers[listing.name] = receiver
        self.read([listing])

    # The plain listing

    def _receive_first(self, listing: Listing, page: Page) -> None:
        """Take pages until one has users; hold it back until it is known whether to divide."""
        if page.token is None:
            self._receive_plain(listing, page)
        elif not page.items:
            self._loops.check(page.token)
            self._end.receive(page)
            self._ask(self._plain.part(page.token, 1), self._receive_first)
        else:
            self._first = page
            if all_start_with(tuple(DIGITS), page.items):
                self._ask(self._segment(DIGITS[0]).part(pages=1), self._receive_probe)
            else:
                logger.warning("Reading the pool in one listing: a `sub` isn't a lower-case UUID")
                self._continue_plain()

    def _continue_plain(self) -> None:
        """Send the first page of the plain listing, which was held back, and continue after it."""
        self._receive_plain(self._plain, self._first)
        self._ask(self._plain.part(self._first.token), self._receive_plain)

    def _receive_plain(self, _: Listing, page: Page) -> None:
        self._filter.receive(page.items)
        self._end.receive(page)
        # With a token, so that they are remembered after the end.
        self._send(self._plain, page._replace(token=""))
        if page.token is None and self._is_divisible:
            self._prove_end()

    def _prove_end(self) -> None:
        """Prove that the plain listing came to its end, or read on."""
        end, estimate = self._end, self.checkpoint.estimate
        if end.is_proven or not (end.count or self._prove_empty):
            return
        if not self._is_estimated:
            self._ask(self._describe, self._receive_estimate)
        elif not end.count:
            estimates.prove_empty(estimate)
        elif end.is_doubtful(estimate):
            self._sent.restart(self._plain)
            self._ask(self._plain.part(end.step_back()), self._receive_plain)
        elif end.has_lost or estimates.is_far_short(end.count, estimate):
            self._compare_readings(end.count)

    def _compare_readings(self, count: int) -> None:
        """Believe a plain listing that is far short of the estimate if the segments confirm it."""
        if self._segment_count is None:
            self._plain_count = count
            self._sent.restart_all()
            self.checkpoint = self.checkpoint.restarted(tuple(DIGITS))
            self._ask_segments(DIGITS)
        elif count < self._segment_count and not estimates.agree(count, self._segment_count):
            raise estimates.ended_early(count, self.checkpoint.estimate)

    def _fall_back(self, reason: str) -> None:
        """Read the pool in one listing after all."""
        if self._plain_count is not None:
            raise estimates.ended_early(self._plain_count, self.checkpoint.estimate)
        logger.warning("Reading the pool in one listing: %s", reason)
        self.drop()
        if len(self.checkpoint.done) == len(self.checkpoint.segments) > 0:
            self._segment_count = self.checkpoint.count
        self.checkpoint = self.checkpoint.restarted()
        self._end.begin()
        if not self._sent and self._first.token:
            self._continue_plain()
            return
        if not self._sent.is_complete:
            logger.warning("Some users are sent a second time: the target has them once")
        self._sent.restart_all()
        self._ask(self._plain, self._receive_plain)

    # Segments

    def _receive_probe(self, listing: Listing, page: Page) -> None:
        """Decide by one segment's first page whether the pool is worth dividing."""
        self._proofs = SegmentProofs(self._first.items)
        if page.token is None and len(page.items) * len(DIGITS) <= _SMALL_POOL:
            self._end.expect(page.items)
            self._continue_plain()
            return
        self.checkpoint = self.checkpoint.restarted(tuple(DIGITS))
        self._ask(self._describe, self._receive_estimate)
        self._ask_segments(DIGITS[1:])
        if page.token:
            self._ask(listing.part(page.token), self._receive_segment)
        self._receive_segment(listing, page)

    def _receive_estimate(self, _: Listing, page: Page) -> None:
        self.checkpoint = self.checkpoint.with_estimate(estimates.estimate_of(page))
        self._is_estimated = True
        if not self.checkpoint.segments:
            self._prove_end()
            return
        has_barely_started = self._count <= _BARELY_STARTED and self._sent.is_complete
        is_large = (self.checkpoint.estimate or 0) > LARGE_POOL
        if is_large and has_barely_started and len(self.checkpoint.segments) == len(DIGITS):
            self._divide_further()
        else:
            self._check_count()

    def _divide_further(self) -> None:
        """Replace the sixteen segments by smaller ones."""
        self.drop()
        segments = divide("", [sub_of(user) for user in self._first.items], 2)
        self.checkpoint = self.checkpoint.restarted(tuple(segments))
        self._sent.restart_all()
        self._proofs.restart()
        self._counts.clear()
        self._ask_segments(self.checkpoint.segments)

    def _ask_segments(self, prefixes: Iterable[str]) -> None:
        for prefix in prefixes:
            self._ask(self._segment(prefix), self._receive_segment)

    def _receive_segment(self, listing: Listing, page: Page) -> None:
        prefix = str(listing.parameters["Filter"]).split('"')[1]
        self._proofs.receive(prefix, page)
        self._send(listing, page)
        self._counts[listing.name] = self._counts.get(listing.name, 0) + len(page.items)
        if page.token:
            self._proofs.check_fill(page)
            return
        for name in self._proofs.unseen(prefix):
            lookup = self._users(equals("username", name))
            self._ask(lookup, partial(self._receive_lookup, prefix, name))
        self._complete(prefix)

    def _receive_lookup(self, prefix: str, name: str, _: Listing, page: Page) -> None:
        self._proofs.receive_lookup(name, page)
        if page.token is None:
            self._complete(prefix)

    def _complete(self, prefix: str) -> None:
        """Complete a segment, unless users of the first page are still looked up in it."""
        if not self._proofs.unseen(prefix):
            count = self._counts.pop(self._segment(prefix).name)
            self.checkpoint = self.checkpoint.with_done(prefix, count)
            self._check_count()

    def _check_count(self) -> None:
        """Compare the users of all segments with the estimate, and ask more if some are missing."""
        done = self.checkpoint
        again, sample = self._proofs.check_count(done, self._plain_count)
        if again:
            self.checkpoint = done.reopened(again)
            segments = [prefix for prefix in done.segments if prefix.startswith(again)]
            for prefix in segments:
                self._sent.restart(self._segment(prefix))
            self._ask_segments(segments)
        if sample:
            plain = self._plain.part(self._first.token, sample)
            self._ask(plain, lambda _, page: self._proofs.receive_sample(done, page))

    def _send(self, listing: Listing, page: Page) -> None:
        items = self._sent.add(listing, page)
        self._count += len(items)
        self.send(items)

    def _segment(self, prefix: str) -> Listing:
        return self._users(f'sub ^= "{prefix}"')

    def _users(self, user_filter: str | None) -> Listing:
        parameters: dict[str, Any] = {"Filter": user_filter} if user_filter else {}
        return self._pool.listing("ListUsers", "Users", "Username", **parameters)
