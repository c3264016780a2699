"""Pagination tokens as the service makes them: they hold a time, a MAC and somebody's name."""

from __future__ import annotations

import base64
import json
from hashlib import blake2b
from typing import Any

from emulator.errors import INVALID, ApiError

# As in published tokens: a few bytes, a JSON object, and the MAC of all that.
_HEAD = b"\x08\x02\x12\xb0"
_BEFORE_MAC = b"\x1a\x20"
_MAC_SIZE = 32
_OWNER_SIZE = 16
_START_MS = 1_700_000_000_000


def encode(listing: str, position: tuple[str | int, ...], name: str, depth: int = 1) -> str:
    """Make the token with which a listing continues.

    The same arguments make the same token, so that tokens may repeat: its time is no real one.

    Args:
        listing: Which listing it is; the token is refused for another one.
        position: Where to go on.
        name: Whose name the token holds, in base64 within base64: the last of the page.
        depth: The number of the page that ends here.
    """
    place = json.dumps(position).encode()
    key = b"%b%b enf;%b;" % (_owner(listing), place, name.encode())
    content = {
        "@n": "PaginationContinuationDTO",
        "nextKey": base64.b64encode(key).decode(),
        "paginationDepth": depth,
        "previousRequestTime": _START_MS + depth,
    }
    body = _HEAD + json.dumps(content, separators=(",", ":")).encode()
    return base64.b64encode(body + _BEFORE_MAC + _mac(body)).decode()


def decode(token: str, listing: str) -> list[Any]:
    """Return the position that a token of this listing stands for.

    Raises:
        ApiError: the token is that of another listing, or none.
    """
    try:
        whole = base64.b64decode(token, validate=True)
        body, mac = whole[: -_MAC_SIZE - len(_BEFORE_MAC)], whole[-_MAC_SIZE:]
        if mac != _mac(body):
            raise refusal(token)
        key = base64.b64decode(json.loads(body[len(_HEAD) :])["nextKey"])
    except ValueError:
        raise refusal(token) from None
    if key[:_OWNER_SIZE] != _owner(listing):
        raise refusal(token)
    place = key[_OWNER_SIZE:].decode()
    position: list[Any]
    position, _ = json.JSONDecoder().raw_decode(place)
    return position


def refusal(token: str) -> ApiError:
    """Return the error that refuses a token; it quotes the token and the request's id."""
    return ApiError(INVALID, f"Paging marker {token} is invalid for request {{request_id}}")


def _mac(body: bytes) -> bytes:
    return blake2b(body, digest_size=_MAC_SIZE).digest()


def _owner(listing: str) -> bytes:
    return blake2b(listing.encode(), digest_size=_OWNER_SIZE).digest()
