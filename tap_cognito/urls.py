"""Addresses: what may be shown of one, and whether a request to it stays private."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_COGNITO = re.compile(
    r"(.+\.)?cognito-idp(-fips)?\.[a-z0-9-]+\.(vpce\.)?"
    r"(amazonaws\.(com|com\.cn|eu)|api\.(aws|amazonwebservices\.com\.cn|amazonwebservices\.eu))"
)
"""Cognito's own hosts. Others below amazonaws.com may be anybody's, such as an instance's."""


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
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_cognito(url: str) -> bool:
    """Return whether a URL leads to AWS's own Cognito, over a VPC endpoint too.

    Args:
        url: A URL that boto3 accepts.

    Returns:
        Whether its host is one of AWS's names for Cognito.
    """
    return bool(_COGNITO.fullmatch(urlsplit(url).hostname or ""))
