"""A user pool as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import configuration, resources
from emulator.users import Users, Wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emulator.people import SubFormat

__all__ = ["Pool", "Wire"]


class Pool(Users):
    """One user pool, safe to change while it is served.

    Everything is as in the API's JSON. To delete a group, or anything else of these, delete its
    entry.

    Attributes:
        id: The pool's id.
        region: Where it is.
        account: Whose it is.
        groups: GroupType by name.
        providers: IdentityProviderType by name, secrets in their `ProviderDetails`.
        clients: UserPoolClientType by id, with `ClientSecret`.
        resource_servers: ResourceServerType by identifier.
        domains: DomainDescriptionType by domain.
        description: UserPoolType, but for `EstimatedNumberOfUsers` (see `estimate`).
        mfa_configuration: The answer of GetUserPoolMfaConfig.
        risk_configurations: RiskConfigurationType by client id, "" for the pool's own.
        log_configurations: LogConfigurationType of each log.
    """

    def __init__(  # noqa: PLR0913 - a pool has many sides
        self,
        size: int = 0,
        seed: int = 0,
        pool_id: str = "us-east-1_Emulated1",
        *,
        sub_format: SubFormat = "random",
        tier: configuration.Tier = "PLUS",
        region: str | None = None,
        account: str = resources.ACCOUNT,
    ) -> None:
        """Make a pool of `size` users, always the same ones for the same `seed`.

        Args:
            size: How many users there are at the start.
            seed: Decides on their names, dates and attributes.
            pool_id: The pool's id, which begins with its region.
            sub_format: "random" for version-4 UUIDs, "regional" for those of newer pools.
            tier: The feature plan; a lower one lacks what it lacks at AWS.
            region: Where it is served, default the id's; a replica has another one.
            account: Whose it is.
        """
        home, _, _ = pool_id.partition("_")
        super().__init__(size, seed, home if sub_format == "regional" else None)
        self.id = pool_id
        self.region = region or home
        self.account = account
        self.description = configuration.description(pool_id, tier)
        self.groups = {group["GroupName"]: group for group in resources.groups(pool_id)}
        self.providers = {item["ProviderName"]: item for item in resources.providers(pool_id)}
        self.clients = {client["ClientId"]: client for client in resources.clients(pool_id)}
        servers = resources.resource_servers(pool_id)
        self.resource_servers = {server["Identifier"]: server for server in servers}
        domains = resources.domains(
            pool_id, self.description["Domain"], self.description["CustomDomain"]
        )
        self.domains = {domain["Domain"]: domain for domain in domains}
        self.mfa_configuration = configuration.mfa(tier)
        first_client = next(iter(self.clients))
        self.risk_configurations = {
            "": configuration.risk(pool_id),
            first_client: configuration.risk(pool_id, first_client),
        }
        self.log_configurations = configuration.log_delivery(pool_id, tier)

    @classmethod
    def from_users(cls, users: Iterable[Wire], pool_id: str = "us-east-1_Emulated1") -> Pool:
        """Make a pool of exactly these users, however odd."""
        pool = cls(pool_id=pool_id)
        for user in users:
            pool._add(user)
        return pool

    @property
    def estimate(self) -> int | None:
        """EstimatedNumberOfUsers: the true number unless set, None to leave it out."""
        estimate: int | None = self.description.get("EstimatedNumberOfUsers", len(self))
        return estimate

    @estimate.setter
    def estimate(self, number: int | None) -> None:
        self.description["EstimatedNumberOfUsers"] = number
