"""Lists that are read page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import tokens
from emulator.errors import INVALID, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emulator.wire import Wire

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
    after = tokens.decode(given, name)[0] if given else ""
    keys = sorted(key for key in items if key > after)
    answer: Wire = {name: [items[key] for key in keys[:size]]}
    if len(keys) > size:
        answer["NextToken"] = tokens.encode(name, (keys[size - 1],), keys[size - 1])
    return answer


def page_of(
    items: Sequence[Wire],
    parameters: Wire,
    name: str,
    token_name: str = "NextToken",  # noqa: S107 - a parameter's name
    *,
    size: int = _PAGE_SIZE,
) -> Wire:
    """Return a page of a list that has an order of its own.

    Args:
        items: All of them.
        parameters: Of the request; its token is good for the same `UserPoolId`, `Username`, ...
        name: The member of the answer that holds them.
        token_name: The member that holds the token.
        size: How many are on a page.

    Raises:
        ApiError: the token is refused.
    """
    meant = sorted((key, value) for key, value in parameters.items() if isinstance(value, str))
    listing = f"{name} {[(key, value) for key, value in meant if key != token_name]}"
    given = parameters.get(token_name)
    start = tokens.decode(given, listing)[0] if given else 0
    answer: Wire = {name: list(items[start : start + size])}
    if start + size < len(items):
        owner = str(parameters.get("Username", ""))
        answer[token_name] = tokens.encode(listing, (start + size,), owner, start // size + 1)
    return answer
