"""What a failed request to AWS means to its user, and what to do: one table of advice by kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ParamValidationError

from tap_cognito.error_codes import ErrorKind, error_code, http_status, is_page
from tap_cognito.errors import (
    AccessDeniedError,
    CredentialsError,
    FeatureUnavailableError,
    InvalidParameterError,
    NotEnabledError,
    ResourceNotFoundError,
    TapCognitoError,
    UnansweredError,
    UnavailableError,
    UnsupportedError,
)
from tap_cognito.local_faults import explain_unconnected
from tap_cognito.urls import is_cognito, origin

if TYPE_CHECKING:
    from botocore.client import BaseClient


class Request(NamedTuple):
    """The request that failed, for the text of an error."""

    operation: str
    """The API's name of the operation, such as `ListUsers`."""
    client: BaseClient
    pool_id: str | None
    endpoint_url: str | None = None
    """The setting of this name."""

    @property
    def region(self) -> str:
        """The region it was sent to."""
        return str(self.client.meta.region_name)


_CLASSES = {
    ErrorKind.NOT_FOUND: ResourceNotFoundError,
    ErrorKind.FEATURE_UNAVAILABLE: FeatureUnavailableError,
    ErrorKind.NOT_ENABLED: NotEnabledError,
    ErrorKind.UNSUPPORTED: UnsupportedError,
    ErrorKind.INVALID_PARAMETER: InvalidParameterError,
    ErrorKind.UNKNOWN_KEY: CredentialsError,
    ErrorKind.INVALID_SIGNATURE: CredentialsError,
    ErrorKind.CLOCK_SKEW: CredentialsError,
    ErrorKind.EXPIRED: CredentialsError,
    ErrorKind.THROTTLED: UnansweredError,
}

ADVICE = {
    ErrorKind.UNKNOWN_KEY: "AWS doesn't know the access key: check `aws_access_key_id`; temporary "
    "keys also need their `aws_session_token`",
    ErrorKind.INVALID_SIGNATURE: "AWS doesn't accept the signature: check `aws_secret_access_key`, "
    "then this machine's clock",
    ErrorKind.CLOCK_SKEW: "AWS doesn't accept the time of the request: set this machine's clock",
    ErrorKind.EXPIRED: "the credentials have expired: get new ones and retry",
    ErrorKind.THROTTLED: "AWS throttles it: retry later",
    ErrorKind.TRANSIENT: "AWS or the network failed: retry later",
}
"""What to do about a request that AWS refuses, whichever service it is."""

_OF_COGNITO = ADVICE | {
    ErrorKind.NOT_FOUND: "there is no user pool {pool} in {region} of this account: check its id, "
    "`region` and whose credentials these are",
    ErrorKind.FEATURE_UNAVAILABLE: "the feature plan or the add-ons of {pool} don't include what "
    "{operation} returns",
    ErrorKind.NOT_ENABLED: "{operation} isn't offered for {pool} in {region}: if that is a "
    "replica's region, read the pool in its primary region, or deselect the stream",
    ErrorKind.INVALID_PARAMETER: "Cognito refused a parameter of {operation}: check `user_filter`",
    ErrorKind.UNSUPPORTED: "the endpoint doesn't support {operation}: check `endpoint_url`, or "
    "deselect the stream",
    ErrorKind.OTHER: "Cognito refused {operation}: look the code up in the API reference",
}


def from_botocore(error: Exception, kind: ErrorKind, request: Request) -> TapCognitoError:
    """Turn a failed request to Cognito into one line that says what to do.

    Args:
        error: The exception from boto3.
        kind: What it was classified as.
        request: The request.

    Returns:
        The error to raise instead. It repeats only AWS's error code, never its text: some texts
        quote the request with its session token.
    """
    code = error_code(error)
    if kind is ErrorKind.ACCESS_DENIED:
        return _access_denied(error, request)
    if kind is ErrorKind.TRANSIENT:
        return _unavailable(error, request)
    if isinstance(error, ParamValidationError):
        return InvalidParameterError(
            f"boto3 refused a parameter of {request.operation}: check `user_pool_id` and "
            "`user_filter`, then what `endpoint_url` points to"
        )
    advice = _OF_COGNITO[kind].format(
        operation=request.operation, pool=request.pool_id, region=request.region
    )
    return _CLASSES.get(kind, TapCognitoError)(f"{advice} ({code})")


def cause(error: Exception) -> str:
    """Return why a request failed: a status with AWS's code, or an exception's name; no value."""
    status = http_status(error)
    return f"HTTP status {status} ({error_code(error)})" if status else type(error).__name__


def _unavailable(error: Exception, request: Request) -> TapCognitoError:
    url = request.client.meta.endpoint_url
    if http_status(error):
        advice = "AWS or a proxy is unavailable; retry later"
        if is_page(error):
            where = _what_leads_to(url, request.endpoint_url)
            advice = explain_unconnected(error, url) or f"that isn't AWS's answer; check {where}"
        return UnavailableError(f"{request.operation} keeps failing with {cause(error)}: {advice}")
    return UnansweredError(
        explain_unconnected(error, url)
        or f"no answer from {origin(url)} ({cause(error)}): check "
        f"{_what_leads_to(url, request.endpoint_url)}"
    )


def _what_leads_to(url: str, setting: str | None) -> str:
    if setting:
        return "`endpoint_url` and the network"
    if is_cognito(url):
        return "the network, and whether it takes a proxy (HTTPS_PROXY)"
    return "AWS_ENDPOINT_URL, `endpoint_url` of the AWS profile, `region` and the network"


def _access_denied(error: Exception, request: Request) -> AccessDeniedError:
    meta = request.client.meta
    action = f"cognito-idp:{request.operation}"
    resource = "*"
    if request.pool_id:
        prefix = f"arn:{meta.partition}:cognito-idp:{meta.region_name}:*"
        resource = f"{prefix}:userpool/{request.pool_id}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}],
    }
    what = f"the credentials may not call {action} on {request.pool_id or 'this account'}: "
    if by := who_denied(error):
        return AccessDeniedError(
            f"{what}{by}; a further policy of the user or role doesn't change that"
        )
    return AccessDeniedError(
        f"{what}attach this IAM policy to their user or role: {json.dumps(policy)}"
    )


_DENIES = {
    "service control policy": "a service control policy of the AWS organisation",
    "resource control policy": "a resource control policy of the AWS organisation",
    "permissions boundary": "the permissions boundary of the user or role",
    "session policy": "the policy of the role's session",
    "vpc endpoint policy": "the policy of the VPC endpoint",
    "identity-based policy": "a policy of the user or role",
    "resource-based policy": "a policy of the resource",
}
"""Who denies, by the words of IAM's page "Troubleshoot access denied error messages"."""


def who_denied(error: Exception) -> str:
    """Say which kind of policy denied a request, in our own words.

    Args:
        error: The exception from boto3. AWS says it in its text only, and not always.

    Returns:
        What denied it; empty where AWS doesn't say so, or where the user's or role's own policies
        merely don't allow it, which a policy changes.
    """
    response = getattr(error, "response", {})
    message = str(response.get("Error", {}).get("Message") or "").lower()
    # Behind the user's name and the resource's, which may be anybody's words.
    _, _, explicit = message.rpartition("with an explicit deny")
    _, missing, allowed = message.rpartition("because no ")
    reason = allowed if missing else explicit
    kind = next((kind for kind in _DENIES if kind in reason), None)
    if missing:
        return (
            "" if kind in {None, "identity-based policy"} else f"{_DENIES[kind]} doesn't allow it"
        )
    if "with an explicit deny" in message:
        return f"{_DENIES.get(kind or '', 'a policy')} denies it explicitly"
    return ""
