"""Addresses: what may be shown of one, and whether a request to it stays private."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import urllib3

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_SUFFIX = (
    r"(amazonaws\.(com|com\.cn|eu)|api\.(aws|amazonwebservices\.com\.cn|amazonwebservices\.eu))"
)
_REGION = r"[a-z]{2,}(-[a-z]+)+-[0-9]+"
_COGNITO = re.compile(
    # The name of a VPC endpoint, and of one of its zones, begins with `vpce-`.
    rf"cognito-idp(-fips)?\.{_REGION}\.{_SUFFIX}"
    rf"|vpce-[a-z0-9-]+\.cognito-idp(-fips)?\.{_REGION}\.vpce\.{_SUFFIX}"
)
"""Cognito's own hosts. Others below amazonaws.com may be anybody's, such as a bucket's."""


def origin(url: str) -> str:
    """Return what may be shown of a URL.

    Args:
        url: Any text.

    Returns:
        Scheme, host and port: no user, password, path or query, any of which may be secret. A
        text whose host can't be told for sure isn't shown at all.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an invalid URL"
    # Behind an unescaped `/` of a password, what looks like host and port is part of it.
    if not _HOST.fullmatch(host) or "@" in f"{parts.path}?{parts.query}#{parts.fragment}":
        return "an invalid URL"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def is_private(url: str) -> bool:
    """Return whether nobody on the network can read what is sent to a URL.

    Args:
        url: A URL that boto3 accepts.

    Returns:
        Whether it is HTTPS, or leads to this machine.
    """
    return urlsplit(url).scheme == "https" or is_loopback(url)


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine.

    Args:
        url: A URL that boto3 accepts.

    Returns:
        Whether its host is a loopback address or a name that can only be one.
    """
    host = _host(url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # what is below it, a resolver may ask others for


def _host(url: str) -> str:
    """The host that a request to a URL goes to, as the library reads it that sends requests.

    Raises:
        ValueError: If the URL is invalid, or may be read in another way by other libraries.
    """
    try:
        host = urllib3.util.parse_url(url).host or ""
    except urllib3.exceptions.LocationParseError:
        raise ValueError from None
    host = host.strip("[]").lower()
    if host != (urlsplit(url).hostname or ""):
        raise ValueError
    return host


def is_cognito(url: str) -> bool:
    """Return whether a URL leads to AWS's own Cognito, over a VPC endpoint too.

    Args:
        url: A URL that boto3 accepts.

    Returns:
        Whether its host is one of AWS's names for Cognito.
    """
    return bool(_COGNITO.fullmatch(_host(url)))
