"""How the emulated service may be made to behave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from emulator.errors import ApiError
    from emulator.faults import Faults
    from emulator.signing import Credential
    from emulator.sts import Role
    from emulator.wire import Wire


@dataclass(kw_only=True)
class Behaviour:
    """Settings of the service, to be changed at any time.

    Attributes:
        latency: Seconds added to each response.
        quota: Requests per second of ListUsers and ListUsersInGroup together (also the size of
            the bucket), None for no limit.
        quota_drops: New quota by the number of the request that it begins with, from 1.
        quotas: Requests per second by category in each account and region, such as `AWS_QUOTAS`;
            `quota` goes before its "UserList".
        quota_per_pool: Requests per second of one operation on one pool, but for those on users.
        denied: IAM actions that are refused, such as "cognito-idp:DescribeUserPool".
        refused: Error codes by operation; `pool_id/operation` means one pool, and a region or an
            account in its place all of its pools; the operation may be "*".
        refuse: Decides on each request, by its operation and its parameters, with which error it
            is refused, None for not at all.
        amend: Changes each answer before it is sent: it gets the operation, its parameters and the
            answer, and returns another.
        respond: Makes the text of each answer: it gets the operation, its parameters and what
            else would make the text.
        page_sizes: How many items are on a page at most, by operation, for those on users.
        ignore_filter: Whether ListUsers returns all users whatever the Filter.
        refuse_filter: Whether ListUsers refuses every Filter.
        filter_after_paging: Whether ListUsers applies a Filter to each page of the whole pool, so
            that a filtered listing has as many pages as the pool, most of them short or empty.
        ends_early: Pages after which a listing of users ends although users remain, by Filter;
            "" is the listing without one.
        token_lifetime: Pages of users after which a listing's token has expired, None for never.
        token_expiries: How many tokens expire at most, None for no limit.
        next_key: A name that each token of these listings holds in the place of the last user's.
        token_loop: Pages of users after which a listing goes round for ever, None for never.
        reorder: Whether each listing of users has an order of its own.
        empty_pages: Share of the pages of users that are empty, with a token; as often, one more
            empty page follows the last user.
        begin_empty: How the Filters begin whose listings begin with an empty page, such as
            "username"; several beginnings in a tuple.
        short_pages: Share of the pages of users that hold fewer users than there are.
        seed: Decides on order and on empty and short pages.
        credentials: Known credentials by access key id; None accepts every request, as that of
            an identity of the default account.
        regions: Regions that are served although they have no pool.
        roles: Roles that known identities may assume, by ARN.
        faults: Faults on the way, None for none.
        slow_seconds: How long the response to a request is held back that the fault "slow" hits.
    """

    latency: float = 0.0
    quota: float | None = None
    quota_drops: Mapping[int, float | None] = field(default_factory=dict)
    quotas: Mapping[str, float] = field(default_factory=dict)
    quota_per_pool: float | None = None
    denied: Collection[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    refuse: Callable[[str, Wire], ApiError | None] | None = None
    amend: Callable[[str, Wire, Wire], Wire] | None = None
    respond: Callable[[str, Wire, Callable[[], str]], str] | None = None
    page_sizes: Mapping[str, int] = field(default_factory=dict)
    ignore_filter: bool = False
    refuse_filter: bool = False
    filter_after_paging: bool = False
    ends_early: Mapping[str, int] = field(default_factory=dict)
    token_lifetime: int | None = None
    token_expiries: int | None = None
    next_key: str | None = None
    token_loop: int | None = None
    reorder: bool = False
    empty_pages: float = 0.0
    begin_empty: str | tuple[str, ...] = ()
    short_pages: float = 0.0
    seed: int = 0
    credentials: Mapping[str, Credential] | None = None
    regions: Collection[str] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    faults: Faults | None = None
    slow_seconds: float = 5.0

    def page_size(self, operation: str, wanted: int) -> int:
        """Return how many items are on a page of an operation if so many are asked for."""
        return min(self.page_sizes.get(operation, wanted), wanted)
