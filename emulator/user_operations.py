"""ListUsers and ListUsersInGroup."""

from __future__ import annotations

import json
import random
import threading
from typing import TYPE_CHECKING

from emulator import filters, paging, tokens
from emulator.errors import INVALID, ApiError, find

if TYPE_CHECKING:
    from emulator.behaviour import Behaviour
    from emulator.pool import Pool
    from emulator.wire import Wire

_BEYOND = 1 << 62


class UserOperations:
    """The listings of users, as a behaviour wants them."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Follow `behaviour` as it is at the time of each request."""
        self._behaviour = behaviour
        self._random = random.Random(behaviour.seed)  # noqa: S311 - repeatable, not secret
        self._lock = threading.Lock()

    def list_users(self, pool: Pool, parameters: Wire) -> str:
        """ListUsers."""
        if parameters.get("AttributesToGet"):
            raise ApiError(INVALID, "AttributesToGet is not emulated.")
        text = parameters.get("Filter") or ""
        if text and self._behaviour.refuse_filter:
            raise ApiError(INVALID, "Filter is not supported.")
        condition = filters.parse("" if self._behaviour.ignore_filter else text)
        return self._page(
            pool,
            parameters,
            f"{pool.id} ListUsers {text}",
            "PaginationToken",
            condition=condition,
            ends_after=self._behaviour.ends_early.get(text),
        )

    def list_members(self, pool: Pool, parameters: Wire) -> str:
        """ListUsersInGroup."""
        group = str(parameters.get("GroupName"))
        find(pool.groups, group, "Group not found.")
        listing = f"{pool.id} ListUsersInGroup {group}"
        return self._page(pool, parameters, listing, "NextToken", group=group)

    def _page(  # noqa: PLR0913 - a listing has many sides
        self,
        pool: Pool,
        parameters: Wire,
        listing: str,
        token_name: str,
        *,
        condition: filters.Condition | None = None,
        group: str | None = None,
        ends_after: int | None = None,
    ) -> str:
        behaviour, given = self._behaviour, parameters.get(token_name)
        operation = "ListUsers" if group is None else "ListUsersInGroup"
        limit = behaviour.page_size(operation, paging.limit(parameters, "Limit"))
        mask, pages, after = tokens.decode(given, listing) if given else (self._order(pool), 0, -1)
        if given and self._is_expired(pages):
            raise tokens.refusal(given)
        with self._lock:
            empty, trailing = (self._random.random() < behaviour.empty_pages for _ in range(2))
            if self._random.random() < behaviour.short_pages:
                limit = self._random.randint(1, limit)
        if condition and behaviour.filter_after_paging:
            users, last = pool.page(limit, after, mask=mask)
            users = [user for user in users if condition.matches(json.loads(user))]
        else:
            users, last = pool.page(limit, after, mask=mask, condition=condition, group=group)
        begins_empty = not given and str(parameters.get("Filter")).startswith(behaviour.begin_empty)
        if empty or begins_empty:
            users, last = [], after
        elif trailing and last is None:
            last = _BEYOND
        pages += 1
        if pages == ends_after:
            last = None
        elif behaviour.token_loop is not None and pages > behaviour.token_loop:
            pages, last = 1, -1
        answer = f'{{"Users":[{",".join(users)}]'
        if last is not None:
            name = json.loads(users[-1]).get("Username", "") if users and last >= 0 else ""
            token = tokens.encode(listing, (mask, pages, last), behaviour.next_key or name, pages)
            answer += f',"{token_name}":"{token}"'
        return answer + "}"

    def _order(self, pool: Pool) -> int:
        if not self._behaviour.reorder:
            return 0
        with self._lock:
            return self._random.getrandbits(max(2, len(pool).bit_length()))

    def _is_expired(self, pages: int) -> bool:
        behaviour = self._behaviour
        with self._lock:
            if behaviour.token_lifetime is None or pages < behaviour.token_lifetime:
                return False
            if behaviour.token_expiries is None:
                return True
            behaviour.token_expiries -= 1
            return behaviour.token_expiries >= 0
