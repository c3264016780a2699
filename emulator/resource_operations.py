"""The operations on a pool's resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import paging
from emulator.errors import ApiError, find

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from emulator.pool import Pool
    from emulator.wire import Wire


def _list_groups(pool: Pool, parameters: Wire) -> Wire:
    return paging.page(pool.groups, parameters, "Groups", "Limit")


def _list_providers(pool: Pool, parameters: Wire) -> Wire:
    shown = ("ProviderName", "ProviderType", "CreationDate", "LastModifiedDate")
    return paging.page(_only(pool.providers, shown), parameters, "Providers", "MaxResults")


def _list_clients(pool: Pool, parameters: Wire) -> Wire:
    found = _only(pool.clients, ("ClientId", "ClientName", "UserPoolId"))
    return paging.page(found, parameters, "UserPoolClients", "MaxResults")


def _describe_provider(pool: Pool, parameters: Wire) -> Wire:
    name = str(parameters.get("ProviderName"))
    message = f"Identity provider {name} does not exist."
    return {"IdentityProvider": find(pool.providers, name, message)}


def _describe_client(pool: Pool, parameters: Wire) -> Wire:
    return {"UserPoolClient": pool.clients[_client(pool, parameters)]}


def _describe_pool(pool: Pool, _parameters: Wire) -> Wire:
    described = pool.description | {"EstimatedNumberOfUsers": pool.estimate}
    return {"UserPool": {name: value for name, value in described.items() if value is not None}}


def _get_mfa_config(pool: Pool, _parameters: Wire) -> Wire:
    return pool.mfa_configuration


def _describe_domain(pool: Pool, parameters: Wire) -> Wire:
    # The service finds the pool by its domain, and answers an unknown one with no members.
    return {"DomainDescription": pool.domains[parameters["Domain"]]}


def _list_resource_servers(pool: Pool, parameters: Wire) -> Wire:
    largest = 50
    name = "ResourceServers"
    return paging.page(pool.resource_servers, parameters, name, "MaxResults", largest)


def _describe_risk(pool: Pool, parameters: Wire) -> Wire:
    add_ons = pool.description.get("UserPoolAddOns", {})
    if add_ons.get("AdvancedSecurityMode", "OFF") == "OFF":
        message = "User pool add-ons are not enabled."
        raise ApiError("UserPoolAddOnNotEnabledException", message)
    client = parameters.get("ClientId") or ""
    if client:
        _client(pool, parameters)
    unset = {"UserPoolId": pool.id} | ({"ClientId": client} if client else {})
    return {"RiskConfiguration": pool.risk_configurations.get(client, unset)}


def _get_log_delivery(pool: Pool, _parameters: Wire) -> Wire:
    configuration = {"UserPoolId": pool.id, "LogConfigurations": pool.log_configurations}
    return {"LogDeliveryConfiguration": configuration}


def _get_sessions(pool: Pool, _parameters: Wire) -> Wire:
    return pool.session_configuration


def _get_client_sessions(pool: Pool, parameters: Wire) -> Wire:
    client = _client(pool, parameters)
    default = {"MaxValidityMinutes": 60}
    session = pool.client_sessions.get(client, default)
    return {"UserPoolId": pool.id, "ClientId": client, "SSOSession": session}


def _list_client_secrets(pool: Pool, parameters: Wire) -> Wire:
    return {"ClientSecrets": pool.client_secrets.get(_client(pool, parameters), [])}


def _list_replicas(pool: Pool, parameters: Wire) -> Wire:
    return paging.page_of(pool.replicas, parameters, "UserPoolReplicas", size=1)


def _list_recoveries(pool: Pool, parameters: Wire) -> Wire:
    _check_recovery(pool)
    shown = ("RestoreId", "RestoreStatus", "RestoreTimestamp")
    found = [{name: item[name] for name in shown if name in item} for item in pool.recoveries]
    size = paging.limit(parameters, "MaxResults")
    return paging.page_of(found, parameters, "Restorations", size=size)


def _describe_recovery(pool: Pool, parameters: Wire) -> Wire:
    _check_recovery(pool)
    found = {item["RestoreId"]: item for item in pool.recoveries}
    name = str(parameters.get("RestoreId"))
    return {"Restoration": find(found, name, f"Restoration {name} does not exist.")}


def _check_recovery(pool: Pool) -> None:
    if pool.description.get("UserPoolTier") == "LITE":
        message = "Point-in-time recovery is not available in this tier."
        raise ApiError("FeatureUnavailableInTierException", message)


def _client(pool: Pool, parameters: Wire) -> str:
    name = str(parameters.get("ClientId"))
    find(pool.clients, name, f"User pool client {name} does not exist.")
    return name


def _only(items: Mapping[str, Wire], fields: Collection[str]) -> dict[str, Wire]:
    return {
        name: {field: item[field] for field in fields if field in item}
        for name, item in items.items()
    }


OPERATIONS: Mapping[str, Callable[[Pool, Wire], Wire]] = {
    "DescribeIdentityProvider": _describe_provider,
    "DescribePointInTimeRecovery": _describe_recovery,
    "DescribeRiskConfiguration": _describe_risk,
    "DescribeUserPool": _describe_pool,
    "DescribeUserPoolClient": _describe_client,
    "DescribeUserPoolDomain": _describe_domain,
    "GetLogDeliveryConfiguration": _get_log_delivery,
    "GetUserPoolClientSessionConfiguration": _get_client_sessions,
    "GetUserPoolMfaConfig": _get_mfa_config,
    "GetUserPoolSessionConfiguration": _get_sessions,
    "ListGroups": _list_groups,
    "ListIdentityProviders": _list_providers,
    "ListPointInTimeRecoveries": _list_recoveries,
    "ListResourceServers": _list_resource_servers,
    "ListUserPoolClientSecrets": _list_client_secrets,
    "ListUserPoolClients": _list_clients,
    "ListUserPoolReplicas": _list_replicas,
}
