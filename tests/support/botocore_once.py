"""botocore, without finding out for each session and client what is the same for all."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

from botocore import client, hooks, session

if TYPE_CHECKING:
    from collections.abc import MutableMapping


def prepare_botocore() -> None:
    """Let it read AWS's descriptions, and make of them what doesn't depend on a session, once.

    That is most of the time of a session and its client, of which the tests make thousands. It is
    done by replacing what isn't public.
    """
    session.create_loader = functools.cache(session.create_loader)
    _once(client.ClientCreator, "_create_client_class", {})  # by the name of the service
    _once(hooks.EventAliaser, "_alias_event_name", {})  # by the event
    # By the handler, which isn't kept: it may hold a client, and its connections.
    _once(hooks.BaseEventHooks, "_verify_accept_kwargs", weakref.WeakKeyDictionary())


def _once(owner: Any, method: str, found: MutableMapping[Any, Any]) -> None:
    """Let a method be called once for each value of its first argument."""
    call = getattr(owner, method)

    def call_once(self: Any, subject: Any, *others: Any) -> Any:
        if subject not in found:
            found[subject] = call(self, subject, *others)
        return found[subject]

    setattr(owner, method, call_once)
