"""Errors shown to the user."""

from __future__ import annotations

import re
import traceback
from pathlib import Path


class TapCognitoError(Exception):
    """A run can't go on, for a reason that its user can mend.

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


class UnansweredError(TapCognitoError):
    """The network, or throttling, kept the request from an answer, however often it was sent."""


class FeatureUnavailableError(TapCognitoError):
    """The pool's feature plan or add-ons don't include what was asked for: there is none of it."""


class NotEnabledError(TapCognitoError):
    """The operation isn't offered for the pool in this region, as in that of a replica."""


class UnavailableError(TapCognitoError):
    """AWS, the endpoint or a proxy kept answering with a server error."""


class UnreadableError(TapCognitoError):
    """The responses aren't those to the request, however often it is sent: truncated, or empty."""


class UnsupportedError(TapCognitoError):
    """The endpoint doesn't know the operation."""


NOT_TO_BE_HAD = (AccessDeniedError, NotEnabledError, UnavailableError, UnsupportedError)
"""An operation may not be called, isn't offered in the region, or isn't known to the endpoint,
which may answer with a server error then."""


class InvalidParameterError(TapCognitoError):
    """Cognito refused a parameter: a filter it doesn't know, or a token that has expired."""


class StreamsFailedError(TapCognitoError):
    """Some streams or pools couldn't be read; the others were.

    Attributes:
        failures: What couldn't be read and why, in the order in which it failed.
    """

    def __init__(self, failures: list[TapCognitoError]) -> None:
        super().__init__("; ".join(map(str, failures)))
        self.failures = failures


def bug(error: BaseException) -> TapCognitoError:
    """Report an unexpected error by where it was raised, not by its text, which may hold anything.

    Args:
        error: What was raised.

    Returns:
        One line for the user.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames:
        frame = frames[-1]
        where = f" in {frame.name}, line {frame.lineno} of {Path(frame.filename).name}"
    return TapCognitoError(
        f"a bug: {type(error).__name__}{where}. TAP_COGNITO_LOGLEVEL=DEBUG shows more"
    )


def quoted(name: str, otherwise: str) -> str:
    """Show a name that somebody else has written, if it is short and plain.

    Args:
        name: The name, of any length.
        otherwise: What to say instead of another.
    """
    return f"`{name}`" if re.fullmatch(r"\w{1,60}", name) else otherwise
