"""Which items were sent already, and which listings of a source are complete."""

from __future__ import annotations

from typing import Any

from tap_cognito.cognito.listing import Listing, Page
from tap_cognito.cognito.sent_items import SentItems
from tap_cognito.cognito.source import Nested

NOWHERE: Any = None
"""The client: nothing is asked."""


def listing(name: str) -> Listing:
    """A listing of users."""
    return Listing(NOWHERE, "ListUsers", "Users", {"Filter": name}, key="Username")


def add(sent: SentItems, name: str, users: str, token: str | None = None) -> str:
    """Add a page of users with names of one letter; return those that are to be sent."""
    page = Page([{"Username": user} for user in users], token)
    return "".join(user["Username"] for user in sent.add(listing(name), page))


def test_so_many_items_of_complete_listings_are_remembered() -> None:
    """Beyond the limit complete listings are forgotten, and the fact is recorded."""
    sent = SentItems(keep=3)
    assert add(sent, "first", "ab") == "ab"
    assert add(sent, "second", "c") == "c"
    was_complete = sent.is_complete
    assert add(sent, "third", "d") == "d"
    assert (was_complete, sent.is_complete) == (True, False)
    sent.restart_all()
    assert add(sent, "all", "abcde") == "de"


def test_items_of_listings_under_way_are_remembered() -> None:
    """A listing that may begin again keeps all its items, however many they are."""
    sent = SentItems(keep=0)
    assert add(sent, "first", "abc", "more") == "abc"
    assert sent.is_complete
    sent.restart(listing("first"))
    assert add(sent, "first", "abcd", "more") == "d"
    sent.restart_all()
    assert add(sent, "all", "abcde", "more") == "e"
    sent.restart_all()
    assert add(sent, "all", "abcdef") == "f"


def test_listings_of_one_source_know_only_their_own_items() -> None:
    """A user in two groups is sent as a member of both."""
    sent = SentItems()
    assert add(sent, "first", "a") == "a"
    assert add(sent, "second", "a") == "a"


def test_a_listing_is_complete_with_its_last_page() -> None:
    """A child whose page has a token is none that a later run needn't read."""
    child = listing("child")
    parents = Listing(NOWHERE, "ListGroups", "Groups", key="GroupName")
    source = Nested("us-east-1_A", parents, lambda _: [child])
    source.receive(parents, Page([{"GroupName": "a"}], None))
    source.receive(child, Page([{"Username": "a"}], "more"))
    assert source.checkpoint.done == set()
    source.receive(child, Page([{"Username": "b"}], None))
    assert source.checkpoint.done == {child.digest}
