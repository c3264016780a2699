"""What a failed request to AWS was: one classification, by one table of error codes.

Cognito, STS, Secrets Manager and Parameter Store share it. What to do about each kind stands in
`tap_cognito.error_messages`.
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


class ErrorKind(Enum):
    """What to make of a failed request."""

    THROTTLED = auto()
    """It came too soon."""
    TRANSIENT = auto()
    """AWS, a proxy or the network failed; the same request may succeed."""
    ACCESS_DENIED = auto()
    NOT_FOUND = auto()
    FEATURE_UNAVAILABLE = auto()
    """The pool's feature plan or add-ons don't include it."""
    NOT_ENABLED = auto()
    """The operation isn't offered for the pool in this region."""
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
    "TooManyRequestsException": ErrorKind.THROTTLED,
    "InternalErrorException": ErrorKind.TRANSIENT,
    "AccessDenied": ErrorKind.ACCESS_DENIED,
    "AccessDeniedException": ErrorKind.ACCESS_DENIED,
    "NotAuthorizedException": ErrorKind.ACCESS_DENIED,
    "ResourceNotFoundException": ErrorKind.NOT_FOUND,
    "UserNotFoundException": ErrorKind.NOT_FOUND,
    "ParameterNotFound": ErrorKind.NOT_FOUND,
    "FeatureUnavailableInTierException": ErrorKind.FEATURE_UNAVAILABLE,
    "UserPoolAddOnNotEnabledException": ErrorKind.FEATURE_UNAVAILABLE,
    "InvalidUserPoolConfigurationException": ErrorKind.FEATURE_UNAVAILABLE,
    "OperationNotEnabledException": ErrorKind.NOT_ENABLED,
    "InvalidParameterException": ErrorKind.INVALID_PARAMETER,
    "InvalidAccessKeyId": ErrorKind.UNKNOWN_KEY,
    "InvalidClientTokenId": ErrorKind.UNKNOWN_KEY,
    "UnrecognizedClientException": ErrorKind.UNKNOWN_KEY,
    "IncompleteSignature": ErrorKind.INVALID_SIGNATURE,
    "InvalidSignatureException": ErrorKind.INVALID_SIGNATURE,
    "SignatureDoesNotMatch": ErrorKind.INVALID_SIGNATURE,
    "RequestExpired": ErrorKind.CLOCK_SKEW,
    "RequestTimeTooSkewed": ErrorKind.CLOCK_SKEW,
    "ExpiredToken": ErrorKind.EXPIRED,
    "ExpiredTokenException": ErrorKind.EXPIRED,
    "NotImplemented": ErrorKind.UNSUPPORTED,
    "UnknownOperationException": ErrorKind.UNSUPPORTED,
    "Unsupported": ErrorKind.UNSUPPORTED,
    "UnsupportedOperation": ErrorKind.UNSUPPORTED,
}

_TRANSIENT_STATUS = {HTTPStatus.REQUEST_TIMEOUT}
"""Beside those of botocore: 500, 502, 503 and 504."""

_CODE = re.compile(r"[\w.]{1,80}")


def classify(error: BaseException) -> ErrorKind:
    """Classify a failed request.

    Args:
        error: What boto3 raised.

    Returns:
        Its kind. A code of the table counts before an HTTP status, and both before botocore's
        lists.
    """
    if isinstance(error, (ConnectionError, HTTPClientError)):
        return ErrorKind.TRANSIENT
    if not isinstance(error, ClientError):
        return ErrorKind.OTHER
    status = http_status(error)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorKind.THROTTLED
    kind = _KINDS.get(error_code(error))
    if kind:
        return kind
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return ErrorKind.UNSUPPORTED
    context = RetryContext(
        attempt_number=1,
        parsed_response=error.response,
        http_response=SimpleNamespace(status_code=status),
    )
    if ThrottledRetryableChecker().is_retryable(context):
        return ErrorKind.THROTTLED
    if status in _TRANSIENT_STATUS or TransientRetryableChecker().is_retryable(context):
        return ErrorKind.TRANSIENT
    return ErrorKind.TRANSIENT if is_page(error) else ErrorKind.OTHER


def is_page(error: BaseException) -> bool:
    """Return whether a proxy or another server refused a request, not AWS, which gives a code.

    Args:
        error: What boto3 raised.
    """
    status = http_status(error)
    is_refusal = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    # Where there is no code botocore takes the status for it. AWS itself may answer 400.
    without_code = error_code(error) == str(status)
    return is_refusal and status != HTTPStatus.BAD_REQUEST and without_code


def error_code(error: BaseException) -> str:
    """Return AWS's code of an error, such as `AccessDeniedException`.

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
    """Return the HTTP status of an error, 0 where there was no answer."""
    if not isinstance(error, ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
