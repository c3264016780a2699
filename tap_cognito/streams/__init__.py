"""The streams: columns, replication, deletions. Nothing here knows boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.streams.app_clients import AppClientsStream
from tap_cognito.streams.domains import DomainsStream
from tap_cognito.streams.group_memberships import GroupMembershipsStream
from tap_cognito.streams.groups import GroupsStream
from tap_cognito.streams.identity_providers import IdentityProvidersStream
from tap_cognito.streams.log_delivery import LogDeliveryStream
from tap_cognito.streams.mfa_configuration import MfaConfigurationStream
from tap_cognito.streams.point_in_time_recoveries import PointInTimeRecoveriesStream
from tap_cognito.streams.replicas import ReplicasStream
from tap_cognito.streams.resource_servers import ResourceServersStream
from tap_cognito.streams.risk_configurations import RiskConfigurationsStream
from tap_cognito.streams.user_auth_events import UserAuthEventsStream
from tap_cognito.streams.user_devices import UserDevicesStream
from tap_cognito.streams.user_mfa import UserMfaStream
from tap_cognito.streams.user_pool import UserPoolStream
from tap_cognito.streams.user_sessions import UserSessionsStream
from tap_cognito.streams.users import UsersStream

if TYPE_CHECKING:
    from tap_cognito.replication.stream import CognitoStream

STREAMS: tuple[type[CognitoStream], ...] = (
    UsersStream,
    GroupsStream,
    GroupMembershipsStream,
    IdentityProvidersStream,
    AppClientsStream,
    ResourceServersStream,
    DomainsStream,
    UserPoolStream,
    MfaConfigurationStream,
    RiskConfigurationsStream,
    LogDeliveryStream,
    ReplicasStream,
    PointInTimeRecoveriesStream,
    UserMfaStream,
    UserSessionsStream,
    UserAuthEventsStream,
    UserDevicesStream,
)
"""All streams of the tap, in the order in which they are read."""

NAMES: tuple[str, ...] = tuple(str(vars(stream)["name"]) for stream in STREAMS)
"""The names of the streams, in the same order."""
