"""From settings to a boto3 session: whose identity the requests carry."""

from __future__ import annotations

import logging
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError

from tap_cognito.errors import TapCognitoError
from tap_cognito.refusals import FAILURES, explain_credentials
from tap_cognito.secret_references import Sources, resolve
from tap_cognito.settings import region

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_LIBRARIES = ("boto3", "botocore", "psycopg", "urllib3")


def session(config: Mapping[str, Any]) -> boto3.Session:
    """Make the session that all requests to Cognito are signed with.

    Args:
        config: The tap's settings, already checked.

    Returns:
        A boto3 session in the pool's region, with the identity that the settings mean: keys, a
        profile or boto3's default chain, and a role on top of it, which is assumed again
        whenever its credentials are about to expire.

    Raises:
        TapCognitoError: If a reference cannot be resolved, there is no such profile, the role
            cannot be assumed, or the region cannot be told.
    """
    _hide_secrets_from_logs()
    try:
        sources = _sources(config)
        made = sources.session(**_keys(config, sources))
    except FAILURES as error:
        raise explain_credentials(error) from None
    if not made.region_name:
        raise TapCognitoError(
            f"the region cannot be told from `user_pool_id` {config['user_pool_id']}: "
            "set `region`, such as us-east-1"
        )
    if config.get("aws_assume_role_arn"):
        made = _in_role(made, config, sources)
    return made


def _sources(config: Mapping[str, Any]) -> Sources:
    """What the references of the settings are looked up in."""
    lookup = partial(
        boto3.Session, profile_name=config.get("aws_profile"), region_name=region(config)
    )
    vault_url = config.get("vault_url")
    return Sources(lookup, vault_url and resolve("vault_url", vault_url, Sources(lookup)))


def _keys(config: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    """The key pair and session token, references resolved; empty if none is set."""
    keys = {name: resolve(name, config[name], sources) for name in _KEYS if config.get(name)}
    if config.get("api_key_id"):
        reference = f"supabase-vault://{config['api_key_id']}"
        keys["aws_secret_access_key"] = resolve("api_key_id", reference, sources)
    return keys


def _in_role(source: boto3.Session, config: Mapping[str, Any], sources: Sources) -> boto3.Session:
    """The session of a role that the given session assumes."""
    arguments = {"RoleSessionName": config["aws_assume_role_session_name"]}
    external_id = config.get("aws_assume_role_external_id")
    if external_id:
        arguments["ExternalId"] = resolve(
            "aws_assume_role_external_id", external_id, sources._replace(session=lambda: source)
        )
    try:
        credentials = source.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            source.client,
            credentials,
            config["aws_assume_role_arn"],
            extra_args=arguments,
        )
        role = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
        role.get_frozen_credentials()
    except FAILURES as error:
        raise explain_credentials(error) from None
    core = botocore.session.Session(profile=config.get("aws_profile"))
    core.register_component("credential_provider", SimpleNamespace(load_credentials=lambda: role))
    return boto3.Session(botocore_session=core, region_name=source.region_name)


def _hide_secrets_from_logs() -> None:
    """Keep the libraries from logging at DEBUG: whole requests and answers, tokens and users."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LIBRARIES:
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.INFO))
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.INFO)
    for name in ("botocore.credentials", "botocore.tokens"):
        logging.getLogger(name).addFilter(_is_no_traceback)


def _is_no_traceback(record: logging.LogRecord) -> bool:
    """Drop the tracebacks of failed refreshes: AWS's text may quote the request and its token."""
    return not record.exc_info
