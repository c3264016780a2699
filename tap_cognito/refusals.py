"""What AWS and the network answer instead of data, in words that say what to do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's name
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    ProfileNotFound,
)

from tap_cognito.errors import (
    AccessDeniedError,
    InvalidParameterError,
    ResourceNotFoundError,
    TapCognitoError,
)

if TYPE_CHECKING:
    from botocore.client import BaseClient


FAILURES = (BotoCoreError, ClientError, RuntimeError)
"""What a request may raise. RuntimeError: credentials that had expired when they came, or a body
that makes no sense."""

_Failure: TypeAlias = BotoCoreError | ClientError | RuntimeError

_ADVICE_ON_CREDENTIALS = {
    "UnrecognizedClientException": "AWS does not know the access key: check `aws_access_key_id`; "
    "temporary keys need their `aws_session_token` too",
    "InvalidSignatureException": "AWS does not accept the signature: check "
    "`aws_secret_access_key`, then this machine's clock",
    "ExpiredTokenException": "the credentials have expired: get new ones and run again",
}
_ADVICE_ON_ROLES = (
    "the role's trust policy must allow the identity that assumes it, with the external id that it "
    "asks for, and that identity needs sts:AssumeRole on the role: check `aws_assume_role_arn` and "
    "`aws_assume_role_external_id`, or the role of the profile or environment"
)
_ADVICE = {
    **_ADVICE_ON_CREDENTIALS,
    "ResourceNotFoundException": "there is no user pool {pool} in {region} of this account: "
    "check `user_pool_id` and `region`",
    "TooManyRequestsException": "Cognito throttles {operation}: run again when other readers of "
    "this account's pools have ended",
}
_SAME = {
    "InvalidClientTokenId": "UnrecognizedClientException",
    "InvalidAccessKeyId": "UnrecognizedClientException",
    "IncompleteSignature": "InvalidSignatureException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "ExpiredToken": "ExpiredTokenException",
    "AccessDenied": "AccessDeniedException",
    "NotAuthorizedException": "AccessDeniedException",
}


def explain(error: _Failure, client: BaseClient, pool_id: str) -> TapCognitoError:
    """Turn a failed request into one line that says what to do.

    Args:
        error: What boto3 raised.
        client: The Cognito client that raised it.
        pool_id: The pool that was asked for.

    Returns:
        The error to raise instead. It repeats AWS's own text only for codes that no advice is
        known for: some texts quote the request with its session token.
    """
    meta = client.meta
    operations = meta.service_model.operation_names
    if isinstance(error, ClientError) and error.operation_name not in operations:
        return explain_credentials(error)
    if _is_nonsense(error):
        return TapCognitoError(
            "Cognito's answer cannot be read: look at what stands between here and Cognito "
            "(a proxy, `endpoint_url`), then run again"
        )
    if isinstance(error, (ConnectionError, HTTPClientError)):
        return TapCognitoError(
            f"no answer from {meta.endpoint_url} ({type(error).__name__}): "
            "check `endpoint_url`, `region` and the network"
        )
    if not isinstance(error, ClientError):
        return explain_credentials(error)
    code = error.response.get("Error", {}).get("Code", "")
    code = _SAME.get(code, code)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:  # noqa: PLR2004 - HTTP server errors
        return TapCognitoError(
            f"{error.operation_name} failed again and again with HTTP status {status} ({code}): "
            "AWS, or a proxy before it, is out of order; run again later"
        )
    if code == "AccessDeniedException":
        return _access_denied(error.operation_name, client, pool_id)
    if code == "InvalidParameterException":
        return InvalidParameterError(f"Cognito refused {error.operation_name}: {_words(error)}")
    if code in _ADVICE:
        advice = _ADVICE[code].format(
            pool=pool_id, region=meta.region_name, operation=error.operation_name
        )
        kind = ResourceNotFoundError if code == "ResourceNotFoundException" else TapCognitoError
        return kind(f"{advice} ({code})")
    return TapCognitoError(f"Cognito refused {error.operation_name}: {_words(error)}")


def explain_credentials(error: _Failure) -> TapCognitoError:
    """Turn a failure to get credentials into one line that says what to do.

    Args:
        error: What boto3 raised, from a profile, the default chain or STS.

    Returns:
        The error to raise instead.
    """
    if isinstance(error, NoCredentialsError):
        return TapCognitoError(
            "no AWS credentials were found: set `aws_access_key_id` and `aws_secret_access_key`, "
            "or run where boto3's default chain finds some (environment, profile, role)"
        )
    if isinstance(error, ProfileNotFound):
        return TapCognitoError(
            "`aws_profile` or AWS_PROFILE names a profile that is not in the shared AWS config: "
            "`aws configure list-profiles` shows what is"
        )
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        advice = _ADVICE_ON_CREDENTIALS.get(_SAME.get(code, code), _ADVICE_ON_ROLES)
        return TapCognitoError(f"AWS refused {error.operation_name} ({code}): {advice}")
    if isinstance(error, RuntimeError):
        return TapCognitoError(
            "the credentials that AWS handed out have expired already: look at this machine's clock"
        )
    # What stands below HTTP may quote a header with the session token, and a program that gives
    # credentials anything.
    is_private = isinstance(error, (HTTPClientError, CredentialRetrievalError))
    reason = type(error).__name__ if is_private else _one_line(error)
    return TapCognitoError(f"boto3 could not sign or send the request: {reason}")


def _access_denied(operation: str, client: BaseClient, pool_id: str) -> AccessDeniedError:
    action = f"cognito-idp:{operation}"
    arn = f"arn:{client.meta.partition}:cognito-idp:{client.meta.region_name}:*"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": action,
                "Resource": f"{arn}:userpool/{pool_id}",
            }
        ],
    }
    return AccessDeniedError(
        f"the credentials may not call {action} on {pool_id}: "
        f"attach this IAM policy to their user or role: {json.dumps(policy)}"
    )


def _is_nonsense(error: _Failure) -> bool:
    """Whether botocore cannot make sense of a body: too deep, impossible dates."""
    return isinstance(error, RuntimeError) and "refreshed credentials" not in str(error)


def _words(error: ClientError) -> str:
    """AWS's text up to the first value that it quotes: it may be of a user of the pool."""
    text = _one_line(error)
    head = re.split(r"""['"<`]|\S*@""", text, maxsplit=1)[0][:300]
    return text if head == text else f"{head.rstrip()}…"


def _one_line(error: Any) -> str:
    return " ".join(str(error).split())
