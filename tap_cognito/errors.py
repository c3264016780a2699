"""The failures that a user is meant to read."""

from __future__ import annotations


class TapCognitoError(Exception):
    """A run cannot go on, for a reason that its user can mend.

    The message is one line that says what is wrong, which setting or permission it is about
    and what to do. It holds no secret and nothing about a user of the pool. The command line
    prints it without a traceback and exits with 1.
    """


class AccessDeniedError(TapCognitoError):
    """The credentials lack the permission for an operation."""


class NotFoundError(TapCognitoError):
    """There is no such pool, or no longer such a thing in it."""


class RefusedParameterError(TapCognitoError):
    """Cognito refused a parameter: a filter it does not know, or a token that has expired."""
