"""Pagination tokens, and lists that are read page by page."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from emulator.errors import INVALID, PAGING_MARKER, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.pool import Wire

_PAGE_SIZE = 60


def limit(parameters: Wire, name: str, largest: int = _PAGE_SIZE) -> int:
    """Return how many items a request wants on a page.

    Raises:
        ApiError: more than `largest`, or no number.
    """
    value = parameters.get(name) or largest
    if not isinstance(value, int) or not 0 < value <= largest:
        raise ApiError(INVALID, f"Value '{value}' at '{name}' failed to satisfy constraint.")
    return value


def page(
    items: Mapping[str, Wire],
    parameters: Wire,
    name: str,
    limit_name: str,
    largest: int = _PAGE_SIZE,
) -> Wire:
    """Return a page of a list of resources, in the order of their keys.

    Args:
        items: All resources by key.
        parameters: Of the request.
        name: The member of the answer that holds them.
        limit_name: The parameter that holds how many are wanted.
        largest: How many may be wanted.

    Raises:
        ApiError: the token or the number of items is refused.
    """
    size, given = limit(parameters, limit_name, largest), parameters.get("NextToken")
    after = decode(given, name)[-1] if given else ""
    keys = sorted(key for key in items if key > after)
    answer: Wire = {name: [items[key] for key in keys[:size]]}
    if len(keys) > size:
        answer["NextToken"] = encode(name, keys[size - 1])
    return answer


def encode(listing: str, *position: str | int) -> str:
    """Make the token with which a listing continues at a position."""
    return base64.urlsafe_b64encode(json.dumps((listing, *position)).encode()).decode()


def decode(token: str, listing: str) -> list[Any]:
    """Return the position that a token of this listing stands for.

    Raises:
        ApiError: the token is that of another listing, or none.
    """
    try:
        owner, *position = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        owner = None
    if owner != listing:
        raise ApiError(INVALID, PAGING_MARKER)
    return list(position)
