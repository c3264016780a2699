"""The failures that a user is meant to read."""

from __future__ import annotations


class TapCognitoError(Exception):
    """A run cannot go on, for a reason that its user can mend.

    The message is one line: what is wrong, which setting or permission it is about and what to do.
    It holds no secret and nothing about a user of the pool. The command line prints it without a
    traceback and exits with 1.
    """


class CredentialsError(TapCognitoError):
    """There are no credentials, or AWS doesn't accept them."""


class AccessDeniedError(TapCognitoError):
    """The credentials lack the permission for an operation."""


class ResourceNotFoundError(TapCognitoError):
    """There is no such pool, or no such thing in it."""


class InvalidParameterError(TapCognitoError):
    """Cognito refused a parameter: a filter it doesn't know, or a token that has expired."""


class StreamsFailedError(TapCognitoError):
    """Some streams or pools could not be read; the others were.

    Attributes:
        failures: What could not be read and why, in the order in which it failed.
    """

    def __init__(self, failures: list[TapCognitoError]) -> None:
        super().__init__("; ".join(map(str, failures)))
        self.failures = failures
