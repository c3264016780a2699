"""A user pool emulated by moto, with believable users."""

from __future__ import annotations

import itertools
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import boto3
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cognito_idp.type_defs import SchemaAttributeTypeTypeDef

KEYS = {"aws_access_key_id": "quickstart", "aws_secret_access_key": "quickstart"}
"""moto accepts any."""

REGION = "eu-central-1"

_PEOPLE = (
    # The sample in the README begins with the first five.
    *("Ada Lovelace", "Grace Hopper", "Marie Curie", 'Robert "Bob" Tables', "Alan Turing"),
    *("Jürgen Groß", "山田 太郎", "Zoë O'Hara", "Σοφία Παππά", "محمد علي", "Łukasz Żak"),
    *("José Núñez", "이지은", "Đặng Thùy Trâm", "Олена Шевченко", "दीपिका शर्मा"),
)
_PLANS = ("free", "team", "business", None)


@dataclass(frozen=True)
class Pool:
    """A pool, and where it is served."""

    id: str
    endpoint_url: str
    client: Any

    @property
    def config(self) -> dict[str, str]:
        """The settings with which tap-cognito reads it."""
        return {"user_pool_id": self.id, "endpoint_url": self.endpoint_url, **KEYS}

    def users(self) -> list[dict[str, Any]]:
        """Ask the API for all users."""
        pages = self.client.get_paginator("list_users").paginate(UserPoolId=self.id)
        return [user for page in pages for user in page["Users"]]


@contextmanager
def serve() -> Iterator[str]:
    """Run moto's server between entry and exit, and yield its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def create(endpoint_url: str) -> Pool:
    """Create an empty pool."""
    client = boto3.client(
        "cognito-idp",
        REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id=KEYS["aws_access_key_id"],
        aws_secret_access_key=KEYS["aws_secret_access_key"],
    )
    schema: list[SchemaAttributeTypeTypeDef] = [
        {"Name": name, "AttributeDataType": "String", "Mutable": True} for name in ("plan", "team")
    ]
    made = client.create_user_pool(PoolName="quickstart", Schema=schema)
    return Pool(made["UserPool"]["Id"], endpoint_url, client)


def populate(pool: Pool, size: int) -> None:
    """Add users in every status that moto knows, some disabled, some without an address."""
    app = pool.client.create_user_pool_client(UserPoolId=pool.id, ClientName="app")
    for number, name in zip(range(size), itertools.cycle(_PEOPLE)):
        user = {"UserPoolId": pool.id, "Username": f"{name.split()[0].lower()}.{number}"}
        attributes = {"name": name}
        if number % 13 != 5:  # noqa: PLR2004 - some have no address
            attributes |= {"email": f"user{number}@example.com", "email_verified": "true"}
        if plan := _PLANS[number % len(_PLANS)]:
            attributes["custom:plan"] = plan
        pairs = [{"Name": key, "Value": value} for key, value in attributes.items()]
        kind = number % 10
        if kind == 0:
            pool.client.sign_up(
                ClientId=app["UserPoolClient"]["ClientId"],
                Username=user["Username"],
                Password="Quick-5tart",  # noqa: S106 - of nobody
                UserAttributes=pairs,
            )
            continue
        pool.client.admin_create_user(**user, UserAttributes=pairs, MessageAction="SUPPRESS")
        if kind > 1:
            password = {"Password": "Quick-5tart", "Permanent": True}
            pool.client.admin_set_user_password(**user, **password)
        if kind == 2 and "email" in attributes:  # noqa: PLR2004 - one in ten
            pool.client.admin_reset_user_password(**user)
        if number % 17 == 3:  # noqa: PLR2004 - a few
            pool.client.admin_disable_user(**user)


def row(user: dict[str, Any], *, attributes_as_list: bool = False) -> tuple[Any, ...]:
    """Make the row that a user of the API should become, in the order of the columns."""
    pairs = [(pair["Name"], pair.get("Value")) for pair in user["Attributes"]]
    return (
        user["Username"],
        dict(pairs).get("email"),
        user["UserStatus"],
        user["Enabled"],
        _utc(user["UserCreateDate"]),
        _utc(user["UserLastModifiedDate"]),
        [{name: value} for name, value in pairs] if attributes_as_list else dict(pairs),
    )


def _utc(moment: datetime) -> datetime:
    utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
