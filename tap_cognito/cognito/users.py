"""The users of a pool as listings: one, or segments by `sub` that can be read side by side.

ListUsers returns one page after another, so a single listing is bound by round trips.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tap_cognito.cognito.listing import LoopDetector, Page
from tap_cognito.cognito.segments import DIGITS, all_start_with, divide, sub_of
from tap_cognito.cognito.source import SentItems, Source, Step
from tap_cognito.errors import InvalidParameterError, TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_cognito.cognito.listing import Item, Listing, UserPool

PAGE_SIZE = 60
"""Users in a full page."""

_SMALL_POOL = 10 * PAGE_SIZE
"""Number of users up to which segments aren't worth their requests."""

LARGE_POOL = 1_000_000
"""Number of users above which segments are divided further: an interruption then costs little."""

_BARELY_STARTED = LARGE_POOL // 100
"""Number of users up to which a scan may start again with smaller segments."""

_REMEMBERED = 100_000
"""Users of complete segments who aren't sent again if the pool must be read in one listing."""

_TRIAL_PAGES = 2
"""Pages of each segment after which their fill is compared with that of the plain listing."""

_MIN_FILL = 0.25
"""Share of the plain listing's users per page below which segments cost more than they save."""

_MAX_MISSING = 0.01
"""Share of the estimated users that may be missing: the estimate isn't exact."""

logger = logging.getLogger("tap-cognito.users")


class UserListings(Source):
    """All users of one pool, each once.

    Args:
        pool: The pool.
        user_filter: A filter of ListUsers; with it there is only one listing.
        prove_empty: Whether a pool that returns no user must report that it is empty.
    """

    def __init__(
        self, pool: UserPool, user_filter: str | None = None, *, prove_empty: bool = False
    ) -> None:
        super().__init__(pool.id)
        self._pool = pool
        self._describe = pool.listing("DescribeUserPool", "UserPool")
        self._prove_empty = prove_empty and not user_filter
        self._plain = self._users(user_filter)
        self._is_divisible = not user_filter
        self._sent = SentItems(_REMEMBERED)
        self._first = Page([], None)
        self._loops = LoopDetector()
        self._unseen: dict[str, str] = {}
        self._lookups: dict[str, tuple[str, str]] = {}
        self._count = 0
        self._counts: dict[str, int] = {}
        self._trial_pages = self._trial_users = 0

    def resume(
        self, prefixes: Iterable[str], done: Iterable[str], count: int, estimate: int | None
    ) -> None:
        """Resume where an earlier run was cut off.

        Args:
            prefixes: The segments of that run.
            done: The complete ones.
            count: The number of users in these.
            estimate: About how many users the pool had.
        """
        self.prefixes = tuple(prefixes)
        self.done = set(done)
        self.count_done = self._count = count
        self.estimate = estimate
        self._sent.is_complete = False

    def start(self) -> Iterable[Listing]:
        """Start with the first page of the pool, or with the remaining segments."""
        if self.prefixes:
            left = [self._segment(prefix) for prefix in self.prefixes if prefix not in self.done]
            # It remains to be proven that nobody is missing.
            return left if left and self.estimate is not None else [self._describe, *left]
        return [self._plain.part(pages=1) if self._is_divisible else self._plain]

    def receive(self, listing: Listing, page: Page) -> Step:
        """Take a page of users, or the answer to another request."""
        if listing.name == self._describe.name:
            return self._receive_estimate(page.items[0])
        if listing.name == self._plain.name:
            return self._receive_plain(page)
        if listing.name in self._lookups:
            return self._receive_lookup(listing, page)
        prefix = _prefix(listing)
        if not all_start_with(prefix, page.items):
            return self._fall_back("the endpoint ignores the filter `sub ^=`")
        if not self.prefixes:
            return self._receive_probe(listing, page)
        return self._receive_segment(listing, page, prefix)

    def restart(self, listing: Listing) -> None:
        """Don't send a user twice."""
        self._sent.restart(listing)
        self._counts.pop(listing.name, None)

    def fail(self, listing: Listing, error: TapCognitoError) -> Step:
        """Do without optional requests; read the pool in one listing if filters are refused."""
        if listing.name == self._describe.name:
            if not self.prefixes and not self._count and self._prove_empty:
                raise doubt(f"whether the pool is empty is unknown: {error}")
            return Step([])  # a reader of users may lack the permission
        if listing.name == self._plain.name or not isinstance(error, InvalidParameterError):
            raise error
        return self._fall_back("the endpoint refuses the filter `sub ^=`, or a token of it")

    # The plain listing

    def _receive_plain(self, page: Page) -> Step:
        if page.token is None and self._prove_empty and not self._count and not page.items:
            return Step([], [self._describe])
        if self._first.token or page.token is None or not self._is_divisible:
            return self._send(self._plain, page)
        if not page.items:
            self._loops.check(page.token)
            return Step([], [self._plain.part(page.token, 1)])
        self._first = page
        if all_start_with(tuple(DIGITS), page.items):
            return Step([], [self._segment(DIGITS[0]).part(pages=1)])
        logger.warning("Reading the pool in one listing: not every `sub` is a lower-case UUID")
        return self._continue_plain()

    def _continue_plain(self) -> Step:
        """Send the first page of the plain listing, which was held back, and continue after it."""
        return self._send(self._plain, self._first, [self._plain.part(self._first.token)])

    def _fall_back(self, reason: str) -> Step:
        """Read the pool in one listing after all."""
        logger.warning("Reading the pool in one listing: %s", reason)
        self._begin_segments(())
        if not self._sent and self._first.token:
            return self._continue_plain()._replace(is_replacement=True)
        if not self._sent.is_complete:
            logger.warning("Some users are sent a second time: the target has them once")
        self._sent.restart_all()
        self._first = Page([], "read before")
        return Step([], [self._plain], is_replacement=True)

    # Segments

    def _receive_probe(self, listing: Listing, page: Page) -> Step:
        """Decide by one segment's first page whether the pool is worth dividing."""
        if page.token is None and len(page.items) * len(DIGITS) <= _SMALL_POOL:
            return self._continue_plain()
        self._begin_segments(DIGITS)
        segments = [self._segment(digit) for digit in DIGITS[1:]]
        if page.token:
            segments.append(listing.part(page.token))
        step = self._receive_segment(listing, page, DIGITS[0])
        return step._replace(start=[self._describe, *segments, *step.start])

    def _receive_estimate(self, description: Item) -> Step:
        estimate = description.get("EstimatedNumberOfUsers")
        self.estimate = estimate if isinstance(estimate, int) else None
        if not self.prefixes and not self._count and self._prove_empty and self.estimate != 0:
            raise doubt("the pool doesn't report that it is empty")
        has_barely_started = self._count <= _BARELY_STARTED and self._sent.is_complete
        is_large = (self.estimate or 0) > LARGE_POOL
        if not is_large or not has_barely_started or len(self.prefixes) != len(DIGITS):
            return self._check_count(Step([]))
        # Smaller segments replace the sixteen.
        self._begin_segments(divide("", [sub_of(user) for user in self._first.items], 2))
        self._sent.restart_all()
        return Step([], map(self._segment, self.prefixes), is_replacement=True)

    def _begin_segments(self, prefixes: Iterable[str]) -> None:
        self.prefixes = tuple(prefixes)
        self.done.clear()
        self.count_done = 0
        self._unseen = {user["Username"]: sub_of(user) for user in self._first.items}
        self._lookups.clear()
        self._counts.clear()

    def _receive_segment(self, listing: Listing, page: Page, prefix: str) -> Step:
        for user in page.items:
            self._unseen.pop(user["Username"], None)
        step = self._send(listing, page)
        self._counts[listing.name] = self._counts.get(listing.name, 0) + len(page.items)
        if page.token is None:
            return self._prove(prefix, step)
        if self._is_costly(page):
            then = self._fall_back("the endpoint applies filters after it has cut the pages")
            return then._replace(items=step.items + then.items)
        return step

    def _is_costly(self, page: Page) -> bool:
        """Return, once, whether segments have far fewer users per page than the plain listing."""
        self._trial_pages += 1
        self._trial_users += len(page.items)
        expected = _MIN_FILL * len(self._first.items) * self._trial_pages
        return self._trial_pages == _TRIAL_PAGES * len(DIGITS) and self._trial_users < expected

    def _prove(self, prefix: str, step: Step) -> Step:
        """Prove that a segment has returned its users of the plain listing's first page."""
        unseen = [name for name, sub in self._unseen.items() if sub.startswith(prefix)]
        if not unseen:
            return self._complete(prefix, step)
        lookups = {name: self._users(f'username = "{_quote(name)}"') for name in unseen}
        self._lookups |= {listing.name: (name, prefix) for name, listing in lookups.items()}
        return step._replace(start=lookups.values())

    def _receive_lookup(self, listing: Listing, page: Page) -> Step:
        """Check whether a user is still in the pool: one that was deleted meanwhile isn't lost."""
        name, prefix = self._lookups[listing.name]
        if any(user["Username"] == name for user in page.items):
            return self._fall_back("a user of its first page came in no segment")
        if page.token:
            return Step([])
        del self._lookups[listing.name]
        self._unseen.pop(name, None)
        if any(prefix == other for _, other in self._lookups.values()):
            return Step([])
        return self._complete(prefix, Step([]))

    def _complete(self, prefix: str, step: Step) -> Step:
        self.done.add(prefix)
        self.count_done += self._counts.pop(self._segment(prefix).name)
        return self._check_count(step)

    def _check_count(self, step: Step) -> Step:
        """Compare the number of users with the estimate, once all segments are complete."""
        missing = (self.estimate or 0) - self.count_done
        is_under_way = len(self.done) < len(self.prefixes) or not self.prefixes
        if is_under_way or missing <= max(PAGE_SIZE, _MAX_MISSING * (self.estimate or 0)):
            return step
        reason = f"{self.count_done:,} of about {self.estimate:,} users came in the segments"
        then = self._fall_back(reason)
        return then._replace(items=step.items + then.items)

    def _send(self, listing: Listing, page: Page, start: Iterable[Listing] = ()) -> Step:
        items = self._sent.add(listing, page)
        self._count += len(items)
        return Step(items, start)

    def _segment(self, prefix: str) -> Listing:
        return self._users(f'sub ^= "{prefix}"')

    def _users(self, user_filter: str | None) -> Listing:
        parameters: dict[str, Any] = {"Filter": user_filter} if user_filter else {}
        return self._pool.listing("ListUsers", "Users", "Username", **parameters)


def doubt(reason: str) -> TapCognitoError:
    """Explain why a pool that returned no user isn't accepted as empty."""
    return TapCognitoError(
        f"Cognito returned no user, but {reason}. The rows of the table were kept; retry"
    )


def _prefix(segment: Listing) -> str:
    return str(segment.parameters["Filter"]).split('"')[1]


def _quote(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
