"""Faults of this machine: which variable, setting or file keeps requests from being sent.

boto3 reads dozens of variables and settings of a profile. What is wrong with them is found by
trying without each, not by the words of its errors.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from botocore.exceptions import BotoCoreError, ProxyConnectionError, SSLError
from botocore.utils import get_environ_proxies

from tap_cognito import urls
from tap_cognito.error_codes import is_page
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import boto3
    from botocore.session import Session

_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")

_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")

_AWS = "https://aws.amazon.com"
"""Any host of AWS: the same proxy leads to all, but for NO_PROXY."""

NO_THREADS = (
    "this machine or container starts no more threads: raise its limit of processes (pids.max, "
    "ulimit -u)"
)

_FROM_ELSEWHERE = "AWS_ENDPOINT_URL, its variant for the service, or `endpoint_url` of the profile"


def check_profile() -> None:
    """Check the variables that name a profile.

    Raises:
        TapCognitoError: If one is set but empty, as by Docker Compose.
    """
    for name in _PROFILES:
        if os.environ.get(name) == "":
            raise TapCognitoError(f"{name} is set but empty: unset it, or set it to a profile")


def check_certificates(core: Session) -> None:
    """Check the certificates that servers are verified with.

    Args:
        core: The session that makes the clients.

    Raises:
        TapCognitoError: If the variable or setting that names them is empty, which some versions of
            boto3 take for "verify nothing", or names no readable certificates.
    """
    given = {name: os.environ[name] for name in _BUNDLES if name in os.environ}
    of_profile = core.get_scoped_config().get("ca_bundle")
    if of_profile is not None:
        given.setdefault("`ca_bundle` of the AWS profile", of_profile)
    for name, path in given.items():
        if not path.strip():
            raise TapCognitoError(f"{name} is set but empty: unset it, or set it to a file")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            folder = Path(path).is_dir()
            context.load_verify_locations(
                capath=path if folder else None, cafile=None if folder else path
            )
        except ssl.SSLError:
            fault = "a file that isn't certificates in the form PEM"
        except (OSError, ValueError) as error:
            fault = f"a file that can't be read ({getattr(error, 'strerror', None) or 'its name'})"
        else:
            continue
        raise TapCognitoError(f"{name} names {fault}")


def make_client(session: boto3.Session, service: str, **options: Any) -> Any:
    """Make a client of boto3.

    Args:
        session: The session.
        service: The name of the service.
        options: What `boto3.Session.client` takes further.

    Returns:
        The client.

    Raises:
        TapCognitoError: If boto3 refuses a variable or setting, or the endpoint or the proxy can't
            be one; the text names the variable or setting.
    """
    make: Any = session.client
    try:
        client = make(service, **options)
    except (BotoCoreError, ValueError):
        raise TapCognitoError(_culprit(session, service, options)) from None
    url = client.meta.endpoint_url
    try:
        _ = urlsplit(url).port  # botocore would look at it at the first request
    except ValueError:
        raise TapCognitoError(_not_a_url(_endpoint_setting(options))) from None
    _check_proxy(url)
    return client


def explain_unconnected(error: BaseException, url: str) -> str | None:
    """Say what on this machine kept a request from being sent.

    Args:
        error: What boto3 raised.
        url: Where the request was to be sent; empty if that isn't known.

    Returns:
        One line, or `None` if it wasn't a certificate or a proxy.
    """
    if isinstance(error, SSLError) and any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)
    ):
        return (
            f"the certificate of {urls.origin(url)} isn't trusted here, or isn't of this host: set "
            "AWS_CA_BUNDLE, or `ca_bundle` of the AWS profile, to the certificates of its issuer "
            "(a proxy that reads TLS has its own)"
        )
    found = proxy_of(url or _AWS)
    if not found or not (isinstance(error, ProxyConnectionError) or is_page(error)):
        return None
    name, proxy = found
    fault = "answers in AWS's place" if is_page(error) else "can't be reached or refuses"
    host = f"the host of {urls.origin(url)}" if url else "the host that is asked"
    return (
        f"the proxy {urls.origin(proxy)} of {name} {fault}: check {name}, or add {host} to NO_PROXY"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """List what an error wraps, in each of the ways that botocore, urllib3 and Python have."""
    pending: list[Any] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        wrapped = getattr(cause, "kwargs", {}).get("error")
        pending += [wrapped, cause.__cause__, cause.__context__, *cause.args]


def _culprit(session: boto3.Session, service: str, options: dict[str, Any]) -> str:
    make: Any = session.client
    plain = {**options, "endpoint_url": "https://localhost"}
    if _is_made(make, service, plain):
        return _not_a_url(_endpoint_setting(options))
    core: Session = session._session  # noqa: SLF001 - boto3 has no public name for it
    for name, (of_profile, variables, default, *_) in core.session_var_map.items():
        names = [variables] if isinstance(variables, str) else variables or ()
        given = [variable for variable in names if variable in os.environ]
        if not given and of_profile in core.get_scoped_config():
            given = [f"`{of_profile}` of the AWS profile"]
        if given:
            core.set_config_variable(name, default)
            if _is_made(make, service, plain):
                return f"{given[0]} has a value that boto3 doesn't accept: correct it, or unset it"
    return "boto3 can't be set up: check the AWS_* variables and the shared AWS config"


def _endpoint_setting(options: dict[str, Any]) -> str:
    return "`endpoint_url`" if options.get("endpoint_url") else _FROM_ELSEWHERE


def _is_made(make: Any, service: str, options: dict[str, Any]) -> bool:
    try:
        make(service, **options)
    except (BotoCoreError, ValueError):
        return False
    return True


def _not_a_url(setting: str) -> str:
    return (
        f"{setting} isn't a valid URL: its host may have letters, digits, hyphens and dots, its "
        "port is a number up to 65535"
    )


def proxy_of(url: str) -> tuple[str, str] | None:
    """Find the proxy through which requests to a URL go.

    Args:
        url: The URL.

    Returns:
        The variable that names the proxy, and the proxy's URL; `None` without one.
    """
    scheme = urlsplit(url).scheme
    proxy = get_environ_proxies(url).get(scheme)
    if not proxy:
        return None
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper()]
    name = next((name for name in names if os.environ.get(name)), "the system's settings")
    return name, proxy if "://" in proxy else f"http://{proxy}"


def _check_proxy(url: str) -> None:
    if not (found := proxy_of(url)):
        return
    name, proxy = found
    try:
        parts = urllib3.util.parse_url(proxy)
        fault = "" if parts.host else "has no host"
        if parts.scheme not in {"http", "https"}:
            fault = "isn't a proxy of HTTP, which is the only kind that boto3 knows"
    except urllib3.exceptions.LocationParseError:
        fault = "isn't a valid URL: write it as http://host:port"
    if fault:
        raise TapCognitoError(f"{name} {fault}; or add the host of {urls.origin(url)} to NO_PROXY")
