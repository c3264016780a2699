"""The queries of docs/security-review.md find what is careless, and nothing else."""

from __future__ import annotations

import itertools
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from quickstart import pool as moto
from tests.support.catalogs import selected
from tests.support.paths import ROOT
from tests.support.programs import load
from tests.support.tables import Database

if TYPE_CHECKING:
    from quickstart.postgres import Postgres

DOCUMENT = ROOT / "docs" / "security-review.md"
QUERIES = dict(
    re.findall(r"(?m)^(\S.*\?)\n\n```sql\n([^`]+)```$", DOCUMENT.read_text(encoding="utf-8"))
)
"""Each query by its question."""
STREAMS = re.findall(r"(?m)^- (\w+)\.\*$", DOCUMENT.read_text(encoding="utf-8"))
"""What the document says to select."""

_SAML = {
    "ProviderType": "SAML",
    "ProviderDetails": {"MetadataURL": "https://saml.example.com", "EncryptedResponses": "true"},
}


def careful_pool() -> Pool:
    """A pool that gives no query anything to find."""
    pool = Pool(20, pool_id="us-east-1_Careful")
    pool.description |= {"MfaConfiguration": "ON"}
    pool.description["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] = True
    for client in pool.clients.values():
        client |= {
            "AllowedOAuthFlows": ["code"],
            "CallbackURLs": ["https://app.example.com", "http://localhost:3000"],
            "EnableTokenRevocation": True,
            "PreventUserExistenceErrors": "ENABLED",
        }
    for secret in itertools.chain(*pool.client_secrets.values()):
        secret["ClientSecretCreateDate"] = time.time()
    for provider in pool.providers.values():
        provider["AttributeMapping"] = {"email": "email", "email_verified": "email_verified"}
    pool.providers["SAML"] = {**pool.providers["Corporate"], **_SAML, "ProviderName": "SAML"}
    for number in range(20):
        name = pool.username(number)
        pool.set_mfa(name, "SOFTWARE_TOKEN_MFA", *["SMS_MFA"] * (number % 2))
        pool.join(name, "admins")
    return pool


def careless_pool() -> Pool:
    """A pool that gives every query something to find."""
    pool = Pool(20, pool_id="us-east-1_Careless")
    described = pool.description
    described |= {
        "DeletionProtection": "INACTIVE",
        "MfaConfiguration": "OPTIONAL",
        "AccountRecoverySetting": {
            "RecoveryMechanisms": [{"Priority": 1, "Name": "verified_phone_number"}]
        },
        "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"},
    }
    described["Policies"]["PasswordPolicy"]["MinimumLength"] = 8
    described["DcrConfiguration"]["OpenDcrEnabled"] = True
    del described["UserAttributeUpdateSettings"]
    pool.risk_configurations.clear()
    pool.log_configurations.pop()
    pool.clients["2example23456789browser0ab"] |= {
        "AllowedOAuthFlows": ["implicit"],
        "CallbackURLs": ["http://app.example.com"],
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
        "RefreshTokenValidity": 365,
        "WriteAttributes": ["email_verified"],
    }
    saml = {**_SAML, "ProviderDetails": {"MetadataURL": "https://saml.example.com"}}
    pool.providers["SAML"] = {**pool.providers["Corporate"], **saml, "ProviderName": "SAML"}
    domain = pool.domains[described["CustomDomain"]]
    domain["CustomDomainConfig"]["SecurityPolicy"] = "TLS_V1"
    pool.set_mfa(pool.username(0))
    pool.factors[pool.username(0)] = ["PASSWORD"]
    pool.set_mfa(pool.username(1), "SMS_MFA")
    pool.join(pool.username(0), "admins")
    return pool


@pytest.fixture(scope="module")
def loaded(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """The streams of a careful and a careless pool, loaded in one run."""
    path = tmp_path_factory.mktemp("review") / "catalog.json"
    target = Database("security_review", postgres)
    with postgres.connect() as connection:
        connection.execute(f"create database {target.name}".encode())
    with Emulator(pools=[careful_pool(), careless_pool()]) as emulator:
        config = {
            "user_pool_ids": [pool.id for pool in emulator.pools],
            "endpoint_url": emulator.url,
            "user_details_requests_per_second": 1000,
            "user_mfa_requests_per_second": 1000,
            **moto.KEYS,
        }
        path.write_text(json.dumps(selected(*STREAMS, config=config)))
        load(config, target.target_config, "--catalog", path)
    return target


@pytest.mark.parametrize("question", QUERIES)
def test_a_query_finds_the_careless_pool_only(loaded: Database, question: str) -> None:
    """Each query returns something of the careless pool, and nothing of the careful one."""
    assert {row[0] for row in loaded.rows(QUERIES[question])} == {"us-east-1_Careless"}


def test_a_passkey_is_a_second_factor(loaded: Database) -> None:
    """Who has one isn't among those without a second factor, nor is a provider's user."""
    found = {row[1:3] for row in loaded.rows(QUERIES["Who has no second factor?"])}
    rows = loaded.rows(
        "select username, status, auth_factors ? 'WEB_AUTHN' from cognito.users "
        "join cognito.user_mfa using (user_pool_id, username) "
        "where user_pool_id = 'us-east-1_Careless' and mfa_settings in ('[]', 'null')"
    )
    assert any(has_passkey for *_, has_passkey in rows)
    assert any(status == "EXTERNAL_PROVIDER" for _, status, _ in rows)
    assert found == {
        (name, status)
        for name, status, has_passkey in rows
        if not has_passkey and status != "EXTERNAL_PROVIDER"
    }


def test_the_review_has_all_its_queries() -> None:
    """No query of the document stands without its question."""
    assert len(QUERIES) == DOCUMENT.read_text(encoding="utf-8").count("```sql")
