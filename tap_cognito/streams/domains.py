"""The domains of a pool's sign-in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.listing import Listing
from tap_cognito.cognito.source import Nested
from tap_cognito.replication.columns import integer, json_object, key, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, UserPool
    from tap_cognito.cognito.source import Source


class DomainsStream(CognitoStream):
    """The domains of the pools: a prefix of AWS's, and one of their own."""

    name = "domains"
    primary_keys = ("user_pool_id", "domain")
    columns = (
        POOL_ID,
        key("domain", "Domain", "The prefix, or the whole name of a custom domain."),
        text("status", "Status", "ACTIVE, CREATING, UPDATING, DELETING or FAILED."),
        text("version", "Version", "The version of the app behind it."),
        integer(
            "managed_login_version",
            "ManagedLoginVersion",
            "1 for the classic hosted UI, 2 for managed login.",
        ),
        text("cloud_front_distribution", "CloudFrontDistribution", "What its DNS alias points to."),
        json_object(
            "custom_domain_config",
            "CustomDomainConfig",
            "A custom domain's certificate and its oldest TLS version.",
            "CertificateArn",
            "SecurityPolicy",
        ),
        json_object(
            "routing",
            "Routing",
            "Where requests go when the primary Region fails.",
            "Failover.SecondaryRegion",
            "Failover.PrimaryRoute53HealthCheckId",
        ),
        text("s3_bucket", "S3Bucket", "Where AWS keeps the domain's static files."),
        text("aws_account_id", "AWSAccountId", "The account of the pool."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        """Ask the pool for its domains, then describe each."""

        def describe(user_pool: Item) -> list[Listing]:
            domains = filter(None, map(user_pool.get, ("Domain", "CustomDomain")))
            return [
                Listing(
                    pool.client, "DescribeUserPoolDomain", "DomainDescription", {"Domain": domain}
                )
                for domain in domains
            ]

        # A domain that isn't found is described without members.
        return Nested(pool.id, pool.description, describe, checkpoint, is_found=bool)
