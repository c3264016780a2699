"""A user pool as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import configuration, resources, sign_ins, upkeep
from emulator.users import Users

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emulator.people import SubFormat
    from emulator.wire import Wire


class Pool(Users):
    """One user pool, safe to change while it is served.

    It has everything that its tier offers; one whose id ends with an even digit has set up little,
    and what it lacks comes as an empty object or not at all, as in new pools.

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
        session_configuration: The answer of GetUserPoolSessionConfiguration.
        client_sessions: ClientSSOSessionConfigType by client id, of those that have set it.
        client_secrets: ClientSecretDescriptorType of each secret, by client id.
        replicas: UserPoolReplicaType of each region.
        recoveries: RestorationType of each restore, the newest first.
        factors: Each user's AuthFactorType, by name. These and what follows are derived from the
            name, unless they are set.
        sessions: Each user's SessionDescriptionType, by name.
        auth_events: Each user's AuthEventType, the newest first, by name.
        devices: Each user's DeviceType, by name.
    """

    def __init__(  # noqa: PLR0913 - a pool has many sides
        self,
        size: int = 0,
        seed: int = 0,
        pool_id: str = "us-east-1_Emulated1",
        *,
        sub_format: SubFormat = "mixed",
        tier: configuration.Tier = "PLUS",
        region: str | None = None,
        account: str = resources.ACCOUNT,
    ) -> None:
        """Make a pool of `size` users, always the same ones for the same `seed`.

        Args:
            size: How many users there are at the start.
            seed: Decides on their names, dates and attributes.
            pool_id: The pool's id, which begins with its region.
            sub_format: "random" for version-4 UUIDs, "regional" for those of newer pools, "mixed"
                for both by turns.
            tier: The feature plan; a lower one lacks what it lacks at AWS.
            region: Where it is served, default the id's; a replica has another one.
            account: Whose it is.
        """
        home, _, _ = pool_id.partition("_")
        super().__init__(size, seed, home, sub_format)
        self.id = pool_id
        self.region = region or home
        self.account = account
        self.description = configuration.description(pool_id, tier)
        is_bare = configuration.is_bare(pool_id)
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
        self.session_configuration = upkeep.sessions(
            pool_id, is_tracked=tier != "LITE" and not is_bare
        )
        self.client_sessions = upkeep.client_sessions(self.clients)
        self.client_secrets = upkeep.client_secrets(self.clients)
        self.replicas = [] if is_bare else upkeep.replicas(pool_id)
        self.recoveries = [] if is_bare else upkeep.recoveries()
        self.factors = sign_ins.Details(
            lambda name: sign_ins.factors(self.user(name), self.mfa(name))
        )
        self.sessions = sign_ins.Details(
            lambda name: sign_ins.sessions(self._known(name), list(self.clients))
        )
        self.auth_events = sign_ins.Details(lambda name: sign_ins.auth_events(self._known(name)))
        self.devices = sign_ins.Details(lambda name: sign_ins.devices(self._known(name), home))

    @classmethod
    def from_users(cls, users: Iterable[Wire], pool_id: str = "us-east-1_Emulated1") -> Pool:
        """Make a pool of exactly these users, however odd."""
        pool = cls(pool_id=pool_id)
        for user in users:
            pool._add(user)
        return pool

    def _known(self, username: str) -> str:
        return str(self.user(username)["Username"])

    @property
    def is_replica(self) -> bool:
        """Whether it is served in another region than its own."""
        return self.region != self.id.partition("_")[0]

    @property
    def estimate(self) -> int | None:
        """EstimatedNumberOfUsers: the true number unless set, None to leave it out."""
        estimate: int | None = self.description.get("EstimatedNumberOfUsers", len(self))
        return estimate

    @estimate.setter
    def estimate(self, number: int | None) -> None:
        self.description["EstimatedNumberOfUsers"] = number
