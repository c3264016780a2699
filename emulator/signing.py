"""Signature Version 4, checked as a service does."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from emulator.errors import ApiError
from emulator.resources import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

# Fake names, for tests to look for: who may call is nobody's business but the caller's.
ROLE = "zqperson-reader"
OPERATOR = "zqperson.operator@zqperson.example"

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)


class Credential(NamedTuple):
    """The credential of an access key id.

    Attributes:
        secret: The secret access key.
        session_token: The session token that goes with it, None for a permanent key.
        expires: Epoch seconds after which it is refused, None for never.
        account: The account of its identity, and so of the pools that it reads.
        identity: What follows the account in the identity's ARN.
    """

    secret: str
    session_token: str | None = None
    expires: float | None = None
    account: str = ACCOUNT
    identity: str = f"assumed-role/{ROLE}/{OPERATOR}"

    @property
    def arn(self) -> str:
        """The ARN of the identity."""
        service = "sts" if self.identity.startswith("assumed-role/") else "iam"
        return f"arn:aws:{service}::{self.account}:{self.identity}"


class Scope(NamedTuple):
    """Whose signature a request says it has, and for which region and service."""

    key_id: str
    region: str
    service: str


def scope(headers: Mapping[str, str]) -> Scope | None:
    """Return the scope of a request's signature, unchecked; None without a signature."""
    match = _HEADER.fullmatch(headers.get("authorization", ""))
    return Scope(match[1], match[3], match[4]) if match else None


def check(
    headers: Mapping[str, str],
    body: bytes,
    credentials: Mapping[str, Credential],
    regions: Container[str] | None = None,
) -> Credential:
    """Check the signature of a POST to `/`.

    Args:
        headers: Of the request, with lower-case names.
        body: Of the request.
        credentials: All that are known, by access key id.
        regions: Where the service is, None for anywhere.

    Returns:
        The credential that signed it.

    Raises:
        ApiError: the request has no, an unknown, an expired or a wrong signature, or one for
            another region.
    """
    match = _HEADER.fullmatch(headers.get("authorization", ""))
    if match is None:
        raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
    key_id, day, region, service, names, signature = match.groups()
    credential = Credential(*credentials[key_id]) if key_id in credentials else None
    if credential is None or credential.session_token != headers.get("x-amz-security-token"):
        message = "The security token included in the request is invalid."
        raise ApiError("UnrecognizedClientException", message)
    if credential.expires is not None and credential.expires <= time.time():
        message = "The security token included in the request is expired"
        raise ApiError("ExpiredTokenException", message)
    if regions is not None and region not in regions:
        message = f"Credential should be scoped to a valid region, not '{region}'. "
        raise ApiError("InvalidSignatureException", message)
    signed = "".join(
        f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names.split(";")
    )
    canonical = f"POST\n/\n\n{signed}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scoped_to = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{headers.get('x-amz-date', '')}\n{scoped_to}\n{digest}"
    key = f"AWS4{credential.secret}".encode()
    for part in (*scoped_to.split("/"), to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(key.hex(), signature):
        message = (
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. "
            "Consult the service documentation for details.\n\n"
            f"The Canonical String for this request should have been\n'{canonical}'\n\n"
            f"The String-to-Sign should have been\n'{to_sign}'\n"
        )
        raise ApiError("InvalidSignatureException", message)
    return credential
