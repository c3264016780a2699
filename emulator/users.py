"""The users of a pool: derived from a size and a seed, and changed since."""

from __future__ import annotations

import contextlib
import json
import random
import re
import threading
import time
from array import array
from bisect import insort
from typing import TYPE_CHECKING

from emulator import people, wire
from emulator.filters import attribute
from emulator.order import following
from emulator.subs import SubIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emulator.filters import Condition
    from emulator.wire import Wire

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"\d{1,8}$")
_NOBODY = array("I")


class Users:
    """The users of one pool and their memberships, safe to change while they are served.

    Users have ordinals in the order of their creation. Those of the start are derived whenever
    they are needed, so that two million of them cost about 80 MB. Users go in and out as wire
    dictionaries: as in the API's JSON, dates in epoch seconds.
    """

    def __init__(self, size: int, seed: int, region: str, sub_format: people.SubFormat) -> None:
        """Make `size` users, always the same ones for the same `seed`.

        Args:
            size: How many users there are at the start.
            seed: Decides on their names, dates and attributes.
            region: Whose digits a `sub` has in newer pools.
            sub_format: As in older pools, as in newer ones, or by turns.
        """
        self._lock = threading.RLock()
        self._seed = seed
        self._region = region
        self._sub_format = sub_format
        self._next = size
        self._keys = people.keys(size, seed, region, sub_format)
        self._subs = SubIndex(self._keys)
        self._members = {
            "admins": array("I", range(3, size, 50)),
            "Köche": array("I", range(1, size, 7)),
        }
        self._texts: dict[int, str] = {}
        self._later_names: dict[str, int] = {}
        self._deleted: set[int] = set()
        self._hidden: set[int] = set()
        self._mfa: dict[int, people.Mfa] = {}

    def __len__(self) -> int:
        """Return the number of users now."""
        return self._next - len(self._deleted)

    def users(self) -> Iterator[Wire]:
        """Iterate over the users as they are now."""
        for ordinal in range(self._next):
            if ordinal not in self._deleted:
                yield json.loads(self._text(ordinal))

    def usernames(self) -> Iterator[str]:
        """Iterate over the names of the users as they are now, faster than over the users."""
        for ordinal in range(self._next):
            if ordinal not in self._deleted:
                yield self.username(ordinal)

    def members(self, group: str) -> Iterator[Wire]:
        """Iterate over a group's users as they are now."""
        for ordinal in self._members.get(group, _NOBODY):
            if ordinal not in self._deleted:
                yield json.loads(self._text(ordinal))

    def user(self, username: str) -> Wire:
        """Return a user as it is now; KeyError if there is none."""
        with self._lock:
            user: Wire = json.loads(self._text(self._ordinal(username)))
            return user

    def username(self, ordinal: int) -> str:
        """Return the name of the user that was created as number `ordinal`, from 0."""
        text = self._text(ordinal)
        if ordinal in self._texts:
            name: str = json.loads(text)["Username"]
            return name
        return text[len('{"Username":"') : text.index('",')]

    def sample(self, share: float, start: int = 0) -> list[str]:
        """Return the names of a random share of the users, the same ones for the same seed.

        Args:
            share: Of the users from `start` on, 0 to 1.
            start: The ordinal of the first user that may be taken; 60 spares the first page.
        """
        ordinals = [ordinal for ordinal in range(start, self._next) if ordinal not in self._deleted]
        chosen = random.Random(self._seed).sample(ordinals, round(share * len(ordinals)))  # noqa: S311 - repeatable, not secret
        return [self.username(ordinal) for ordinal in sorted(chosen)]

    def create(self, user: Wire | None = None, at: float | None = None) -> Wire:
        """Add a user and return it.

        Args:
            user: Without dates if they are to be `at`; default is one like those of the start.
            at: Epoch seconds of its creation, default now.
        """
        with self._lock:
            now = round(time.time() if at is None else at, 3)
            dates = {"UserCreateDate": now, "UserLastModifiedDate": now}
            if user is None:
                kind = self._region, self._sub_format
                key = people.keys(1, f"{self._seed}/{self._next}", *kind, self._next)
                created: Wire = json.loads(people.user(self._next, key)) | dates
            else:
                created = dates | user
            self._add(created)
            return wire.user(created)

    def change(
        self,
        username: str,
        attributes: Mapping[str, str | None] | None = None,
        at: float | None = None,
        **fields: object,
    ) -> Wire:
        """Change a user and its UserLastModifiedDate, and return it as it is now.

        Args:
            username: Whose user it is; KeyError if there is none.
            attributes: New values by name; None removes the attribute, also `sub`.
            at: Epoch seconds of the change, default now.
            fields: Other fields of the wire, such as `Enabled=False`.
        """
        with self._lock:
            ordinal = self._ordinal(username)
            user: Wire = json.loads(self._text(ordinal))
            new = attributes or {}
            user["Attributes"] = [
                *(item for item in user.get("Attributes", ()) if item["Name"] not in new),
                *({"Name": name, "Value": new[name]} for name in new if new[name] is not None),
            ]
            now = round(time.time() if at is None else at, 3)
            user |= {"UserLastModifiedDate": now, **fields}
            self._texts[ordinal] = wire.dumps(wire.user(user))
            if "sub" in new:
                self._subs.set(ordinal, new["sub"])
            return user

    def mfa(self, username: str) -> people.Mfa:
        """Return a user's MFA settings, the preferred one first; KeyError if there is none."""
        ordinal = self._ordinal(username)
        if ordinal in self._mfa:
            return self._mfa[ordinal]
        is_local = json.loads(self._text(ordinal)).get("UserStatus") != people.EXTERNAL
        return people.mfa(ordinal + self._seed) if is_local else ()

    def set_mfa(self, username: str, *settings: str) -> None:
        """Let a user have these MFA settings, the preferred one first; KeyError if there is none.

        Args:
            username: Whose settings they are.
            settings: Some of SOFTWARE_TOKEN_MFA, SMS_MFA and EMAIL_OTP, or none.
        """
        with self._lock:
            self._mfa[self._ordinal(username)] = settings

    def remove_sub(self, *usernames: str) -> None:
        """Let users have no `sub`; KeyError if one of them doesn't exist."""
        for username in usernames:
            self.change(username, {"sub": None})

    def capitalize_sub(self, *usernames: str) -> None:
        """Let users have their `sub` in upper case; KeyError if one of them doesn't exist."""
        for username in usernames:
            sub = self._subs.sub(self._ordinal(username))
            self.change(username, {"sub": sub and sub.upper()})

    def hide(self, *usernames: str) -> None:
        """Let users come in no listing by `sub`; KeyError if one of them doesn't exist.

        A listing without a filter and a look-up by name return them all the same.
        """
        self._hidden |= {self._ordinal(username) for username in usernames}

    def delete(self, username: str) -> None:
        """Delete a user; KeyError if there is none."""
        with self._lock:
            self._deleted.add(self._ordinal(username))

    def join(self, username: str, group: str) -> None:
        """Make a user a member of a group."""
        with self._lock:
            insort(self._members.setdefault(group, array("I")), self._ordinal(username))

    def leave(self, username: str, group: str) -> None:
        """End a user's membership in a group."""
        with self._lock:
            self._members[group].remove(self._ordinal(username))

    def page(
        self,
        limit: int,
        after: int = -1,
        *,
        mask: int = 0,
        condition: Condition | None = None,
        group: str | None = None,
    ) -> tuple[list[str], int | None]:
        """Read some users of a listing, in the order of ordinal XOR mask.

        A position stays true whatever is created or deleted in between.

        Args:
            limit: Users at most.
            after: Position to go on from, -1 for the first page.
            mask: Order of the whole listing; 0 is the order of creation.
            condition: Which users are wanted.
            group: Whose members are wanted.

        Returns:
            The users as JSON, and the position to go on from, None at the end.
        """
        with self._lock:
            users: list[str] = []
            for ordinal in following(self._candidates(condition, group), mask, after):
                if ordinal in self._deleted or not self._matches(ordinal, condition):
                    continue
                if len(users) == limit:
                    return users, after
                users.append(self._text(ordinal))
                after = ordinal ^ mask
            return users, None

    def _candidates(self, condition: Condition | None, group: str | None) -> Sequence[int]:
        if group is not None:
            return self._members.get(group, _NOBODY)
        if condition and condition.attribute == "sub" and condition.value:
            return self._subs.candidates(condition.value)
        if condition and condition.attribute == "username" and not condition.prefix:
            with contextlib.suppress(KeyError):
                return (self._ordinal(condition.value),)
            return ()
        return range(self._next)

    def _matches(self, ordinal: int, condition: Condition | None) -> bool:
        if condition is None:
            return True
        if condition.attribute == "sub":
            return ordinal not in self._hidden and condition.accepts(self._subs.sub(ordinal))
        return condition.matches(json.loads(self._text(ordinal)))

    def _add(self, user: Wire) -> None:
        self._texts[self._next] = wire.dumps(wire.user(user))
        self._later_names[user.get("Username", "")] = self._next
        self._subs.set(self._next, attribute(user, "sub"))
        self._next += 1

    def _ordinal(self, username: str) -> int:
        ordinal = self._later_names.get(username, -1)
        if ordinal < 0 and _UUID.fullmatch(username):
            ordinal = self._subs.find(username)
        elif ordinal < 0 and (number := _NUMBER.search(username)):
            ordinal = int(number[0])
        if not 0 <= ordinal < self._next or ordinal in self._deleted:
            raise KeyError(username)
        if json.loads(self._text(ordinal)).get("Username") != username:
            raise KeyError(username)
        return ordinal

    def _key(self, ordinal: int) -> bytes:
        return self._keys[16 * ordinal : 16 * ordinal + 16]

    def _text(self, ordinal: int) -> str:
        return self._texts.get(ordinal) or people.user(ordinal, self._key(ordinal))
