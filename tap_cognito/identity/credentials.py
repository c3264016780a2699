"""From settings to a boto3 session: whose identity the requests carry.

Every failure to get credentials, the refreshes of a long run included, becomes a
`CredentialsError` here. It quotes nothing that a program or AWS printed.
"""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import (
    ClientError,
    ConfigParseError,
    ConnectionError,  # noqa: A004 - botocore's name
    HTTPClientError,
    PartialCredentialsError,
    ProfileNotFound,
)

from tap_cognito import logs, urls
from tap_cognito.config.settings import pools, region
from tap_cognito.error_codes import ErrorKind, classify, error_code
from tap_cognito.error_messages import ADVICE, who_denied
from tap_cognito.errors import CredentialsError, TapCognitoError
from tap_cognito.local_faults import (
    check_certificates,
    check_profile,
    explain_unconnected,
    make_client,
    proxy_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.credentials import ReadOnlyCredentials

_NOT_FOUND = (
    "no AWS credentials were found: set `aws_access_key_id` and `aws_secret_access_key`, or run "
    "where boto3's default chain finds some (environment, profile, role)"
)
_PROFILE_NOT_FOUND = (
    "`aws_profile` or AWS_PROFILE names a profile that isn't in the shared AWS config: "
    "`aws configure list-profiles` shows what is"
)
_EXPIRED = "the credentials from AWS have already expired: check this machine's clock"
_TRUST = (
    "the role's trust policy must allow the identity that assumes it, with the external id that it "
    "asks for, and that identity needs sts:AssumeRole on the role: check `aws_assume_role_arn` and "
    "`aws_assume_role_external_id`, or the role of the profile or environment"
)
_SOURCES = {
    "custom-process": "the `credential_process` of the AWS profile: run it by hand, it must print "
    "valid JSON and exit with 0",
    "sso": "AWS SSO: run `aws sso login` for the profile",
    "login": "the AWS login: run `aws login` for the profile",
    "assume-role": "the role of `aws_assume_role_arn` or of the AWS profile: check its settings, "
    "and that no MFA code is asked for",
    "assume-role-with-web-identity": "the web identity: check AWS_WEB_IDENTITY_TOKEN_FILE and "
    "AWS_ROLE_ARN, or the profile's settings of these names",
    "container-role": "the container: check AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, "
    "and AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE",
    "iam-role": "the instance: check its role and the AWS_METADATA_SERVICE_* variables",
    "env": "the environment: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}
"""Where credentials come from, by the names of botocore's providers, and what to check there."""

_OTHER_SOURCE = "the AWS_* variables, or the shared AWS config and credentials files: check them"


_RENEW_AGAIN_SECONDS = 15.0
"""Seconds between attempts to renew credentials that are still valid."""

_EXPIRES_SECONDS = 60
"""Credentials that are valid for fewer seconds aren't used any more."""

logger = logging.getLogger("tap-cognito.credentials")


def create_session(config: Mapping[str, Any]) -> boto3.Session:
    """Make the session that requests are signed with.

    Args:
        config: The tap's settings, validated and with all references resolved.

    Returns:
        A boto3 session in the region of the first pool, with the identity that the settings mean:
        keys, a profile or boto3's default chain, and a role on top of it. Temporary credentials
        are renewed before they expire. Its clients raise a `CredentialsError` when that fails,
        and a `TapCognitoError` instead of sending anything over HTTP to another host, a proxy
        included, unless `allow_http` is set.

    Raises:
        CredentialsError: If there are no credentials, or AWS refuses them.
        TapCognitoError: If the region is unknown.
    """
    logs.quiet_libraries()
    _drop_key_log()
    if not config.get("aws_profile"):
        check_profile()
    core = botocore.session.Session(profile=config.get("aws_profile"))
    if not config.get("allow_http"):
        core.register("request-created", _refuse_http)
    credentials = _load(core, config)
    check_certificates(core)
    core.register_component("credential_provider", _provider(credentials))
    region_name = region(config) or core.get_config_variable("region")
    if not region_name:
        raise TapCognitoError(
            f"the region can't be derived from the pool id {pools(config)[0]}: "
            "set `region`, such as us-east-1"
        )
    session = boto3.Session(botocore_session=core, region_name=region_name)
    if config.get("aws_assume_role_arn"):
        credentials = _assume_role(session, credentials, config)
        core.register_component("credential_provider", _provider(credentials))
    credentials.get_frozen_credentials()
    return session


class _GuardedCredentials(Credentials):
    """Credentials that raise a `CredentialsError` whatever is wrong with them."""

    def __init__(self, source: Credentials) -> None:
        self._source = source
        self.method = source.method
        self._last: ReadOnlyCredentials | None = None
        self._ask_again = 0.0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        last = self._last
        if last and time.monotonic() < self._ask_again and not self._has_expired():
            return last
        try:
            frozen = self._source.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - botocore lets through what its sources raise
            failure = _explain(error, self.method)
            if not last or self._has_expired() or _is_refusal(error):
                raise failure from None
            self._ask_again = time.monotonic() + _RENEW_AGAIN_SECONDS
            logger.warning("%s; the last ones are still valid, and are used", failure)
            return last
        logs.hide(frozen.access_key, frozen.secret_key, frozen.token)
        if not all((part or "").isprintable() for part in frozen):
            where = _SOURCES.get(self.method, _OTHER_SOURCE)
            raise CredentialsError(
                "a key, secret or token has a line break or another control character, from "
                f"{where}"
            )
        self._last = frozen
        return frozen

    def _has_expired(self) -> bool:
        expired: Any = getattr(self._source, "refresh_needed", None)
        return bool(expired and expired(_EXPIRES_SECONDS))

    def get_deferred_property(self, property_name: str) -> Any:
        return lambda: getattr(self.get_frozen_credentials(), property_name, None)


def _load(core: botocore.session.Session, config: Mapping[str, Any]) -> Credentials:
    """The credentials before any role is assumed."""
    source = ""
    try:
        core.get_scoped_config()  # a broken shared file would fail each client
        if config.get("aws_access_key_id"):
            return Credentials(
                config["aws_access_key_id"],
                config["aws_secret_access_key"],
                config.get("aws_session_token"),
            )
        # As the resolver does it, but for the name of the source that failed.
        for provider in core.get_component("credential_provider").providers:
            source = provider.METHOD
            if credentials := provider.load():
                return _GuardedCredentials(credentials)
    except Exception as error:  # noqa: BLE001 - a program or a file may be broken in any way
        raise _explain(error, source) from None
    raise CredentialsError(_NOT_FOUND)


def _assume_role(
    session: boto3.Session, credentials: Credentials, config: Mapping[str, Any]
) -> Credentials:
    """The credentials of a role that the session assumes, now and whenever they expire."""
    arguments = {"RoleSessionName": config["aws_assume_role_session_name"]}
    if config.get("aws_assume_role_external_id"):
        arguments["ExternalId"] = config["aws_assume_role_external_id"]
    fetcher = AssumeRoleCredentialFetcher(
        partial(make_client, session),
        credentials,
        config["aws_assume_role_arn"],
        extra_args=arguments,
    )
    return _GuardedCredentials(
        DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    )


def _provider(credentials: Credentials) -> SimpleNamespace:
    return SimpleNamespace(load_credentials=lambda: credentials)


def _refuse_http(**event: Any) -> None:
    url = event["request"].url
    if not _holds(urls.is_private, url):
        raise TapCognitoError(
            f"{urls.origin(url)} is another host without HTTPS, where session tokens and "
            "users can be read on the way: use https:// in `endpoint_url` and AWS_ENDPOINT_URL, "
            "or set `allow_http`"
        )
    # Over HTTPS a proxy learns the host only.
    _, proxy = (proxy_of(url) if urlsplit(url).scheme == "http" else None) or ("", "")
    if proxy and not _holds(urls.is_loopback, proxy):
        raise TapCognitoError(
            f"{urls.origin(proxy)} is a proxy on another host, where session tokens and users can "
            f"be read: add the host of {urls.origin(url)} to NO_PROXY, or set `allow_http`"
        )


def _holds(condition: Callable[[str], bool], url: str) -> bool:
    try:
        return condition(url)
    except ValueError:
        return False


def _is_refusal(error: Exception) -> bool:
    """Whether AWS won't renew the credentials: their validity isn't waited for."""
    return isinstance(error, ClientError) and classify(error) not in {
        ErrorKind.THROTTLED,
        ErrorKind.TRANSIENT,
    }


def _drop_key_log() -> None:
    """Keep Python's TLS from writing session keys, with which a capture can be read."""
    if os.environ.pop("SSLKEYLOGFILE", None) is not None:
        logger.warning("SSLKEYLOGFILE is left out: the tap writes no keys of TLS sessions")


def _explain(error: Exception, source: str) -> TapCognitoError:
    """Explain in one line which credentials are missing; `source` is the name of a provider."""
    if isinstance(error, TapCognitoError):
        return error
    if isinstance(error, ProfileNotFound):
        return CredentialsError(_PROFILE_NOT_FOUND)
    if isinstance(error, ClientError):
        advice = ADVICE.get(classify(error)) or who_denied(error) or _TRUST
        return CredentialsError(
            f"AWS refused {error.operation_name} ({error_code(error)}): {advice}"
        )
    if isinstance(error, RuntimeError) and "refreshed credentials" in str(error):
        return CredentialsError(_EXPIRED)
    if isinstance(error, PartialCredentialsError):
        reason = "an access key id or secret is missing"
    elif isinstance(error, ConfigParseError):
        reason = "a file can't be parsed"
    elif isinstance(error, (ConnectionError, HTTPClientError)):
        url = str(getattr(error, "kwargs", {}).get("endpoint_url") or "")
        if fault := explain_unconnected(error, url):
            return CredentialsError(f"no credentials: {fault}")
        reason = f"no answer, {type(error).__name__}"
    else:
        reason = type(error).__name__
    where = _SOURCES.get(source, _OTHER_SOURCE)
    return CredentialsError(f"no credentials ({reason}) from {where}")
