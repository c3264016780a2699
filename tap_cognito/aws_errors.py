"""What a failed request to AWS was: one classification, by one table of error codes.

Cognito, STS, Secrets Manager and Parameter Store share it. The words for a person stand where the
request is made: `tap_cognito.cognito.errors`, `tap_cognito.credentials` and
`tap_cognito.secret_references`.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from http import HTTPStatus
from types import SimpleNamespace

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

# botocore calls this module private. Its lists of throttling and transient codes grow with AWS's
# services; a copy would fall behind.
from botocore.retries.standard import (
    RetryContext,
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)


class Kind(Enum):
    """What to make of a failed request."""

    THROTTLED = auto()
    """It came too soon."""
    TRANSIENT = auto()
    """AWS, a proxy or the network failed; the same request may succeed."""
    ACCESS_DENIED = auto()
    NOT_FOUND = auto()
    FEATURE_UNAVAILABLE = auto()
    """The pool's feature plan or add-ons don't include it."""
    INVALID_PARAMETER = auto()
    UNKNOWN_KEY = auto()
    """AWS doesn't know the access key, or its session token is missing."""
    INVALID_SIGNATURE = auto()
    CLOCK_SKEW = auto()
    EXPIRED = auto()
    """The credentials have expired."""
    UNSUPPORTED = auto()
    """The endpoint doesn't know the operation, as emulators may."""
    OTHER = auto()


_KINDS = {
    "TooManyRequestsException": Kind.THROTTLED,
    "InternalErrorException": Kind.TRANSIENT,
    "AccessDenied": Kind.ACCESS_DENIED,
    "AccessDeniedException": Kind.ACCESS_DENIED,
    "NotAuthorizedException": Kind.ACCESS_DENIED,
    "ResourceNotFoundException": Kind.NOT_FOUND,
    "UserNotFoundException": Kind.NOT_FOUND,
    "ParameterNotFound": Kind.NOT_FOUND,
    "FeatureUnavailableInTierException": Kind.FEATURE_UNAVAILABLE,
    "UserPoolAddOnNotEnabledException": Kind.FEATURE_UNAVAILABLE,
    "InvalidParameterException": Kind.INVALID_PARAMETER,
    "InvalidAccessKeyId": Kind.UNKNOWN_KEY,
    "InvalidClientTokenId": Kind.UNKNOWN_KEY,
    "UnrecognizedClientException": Kind.UNKNOWN_KEY,
    "IncompleteSignature": Kind.INVALID_SIGNATURE,
    "InvalidSignatureException": Kind.INVALID_SIGNATURE,
    "SignatureDoesNotMatch": Kind.INVALID_SIGNATURE,
    "RequestExpired": Kind.CLOCK_SKEW,
    "RequestTimeTooSkewed": Kind.CLOCK_SKEW,
    "ExpiredToken": Kind.EXPIRED,
    "ExpiredTokenException": Kind.EXPIRED,
    "NotImplemented": Kind.UNSUPPORTED,
    "UnknownOperationException": Kind.UNSUPPORTED,
    "Unsupported": Kind.UNSUPPORTED,
    "UnsupportedOperation": Kind.UNSUPPORTED,
}

_TRANSIENT_STATUS = {HTTPStatus.REQUEST_TIMEOUT}
"""Beside those of botocore: 500, 502, 503 and 504."""

_CODE = re.compile(r"[\w.]{1,80}")


def classify(error: BaseException) -> Kind:
    """Say what a failed request was.

    Args:
        error: What boto3 raised.

    Returns:
        Its kind. A code of the table counts before an HTTP status, and both before botocore's
        lists.
    """
    if isinstance(error, (ConnectionError, HTTPClientError)):
        return Kind.TRANSIENT
    if not isinstance(error, ClientError):
        return Kind.OTHER
    status = http_status(error)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Kind.THROTTLED
    kind = _KINDS.get(error_code(error))
    if kind:
        return kind
    context = RetryContext(
        attempt_number=1,
        parsed_response=error.response,
        http_response=SimpleNamespace(status_code=status),
    )
    if ThrottledRetryableChecker().is_retryable(context):
        return Kind.THROTTLED
    if status in _TRANSIENT_STATUS or TransientRetryableChecker().is_retryable(context):
        return Kind.TRANSIENT
    return Kind.OTHER


def error_code(error: BaseException) -> str:
    """Give AWS's code of an error, such as `AccessDeniedException`.

    Whoever answers may put anything there: what doesn't look like a code isn't repeated.

    Args:
        error: What boto3 raised.

    Returns:
        The code, or the name of the exception's class where it has none.
    """
    if not isinstance(error, ClientError):
        return type(error).__name__
    # AWS puts a namespace before `#` and a URL behind `:`; botocore removes both.
    code = error.response.get("Error", {}).get("Code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "an unknown error code"


def http_status(error: BaseException) -> int:
    """Give the HTTP status of an error, 0 where there was no answer."""
    if not isinstance(error, ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
