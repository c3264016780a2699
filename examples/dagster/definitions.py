"""One partition for each account and region: what a run of Meltano loads of all its user pools.

`dagster dev -f definitions.py` shows them; `DAGSTER_HOME` names the folder of `dagster.yaml`.
"""
# ruff: noqa: INP001 - no package

from __future__ import annotations

import json
import os
from pathlib import Path

import dagster as dg
import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parents[2]
MELTANO = Path(os.environ.get("MELTANO_SYS_DIR_ROOT", PROJECT / ".meltano"))
"""Where `meltano install` has put the plugins."""

ACCOUNTS = {
    "111111111111": ("us-east-1", "eu-west-1"),
    "222222222222": ("us-east-1", "eu-west-1"),
}
"""The regions of each account that have user pools. The pools themselves are found by each run."""

ROLE = "cognito-reader"
"""Each account's role for the tap; whoever runs this may assume it."""

PRIVATELY = ("/bin/sh", "-c", 'umask 077; exec "$@"', "sh")
"""Runs a command: what Meltano writes of the settings is for its user alone."""

places = dg.StaticPartitionsDefinition(
    [f"{account}_{region}" for account, regions in ACCOUNTS.items() for region in regions]
)


def schema(place: str) -> str:
    """Return the schema of a partition: two mirrors can't share a table."""
    return f"cognito_{place}".replace("-", "_")


def meltano_folder(place: str) -> Path:
    """Make Meltano's folder of a partition: runs of one plugin side by side can't share one."""
    folder = MELTANO / "places" / place
    folder.mkdir(parents=True, exist_ok=True)
    for plugins in ("extractors", "loaders"):
        if not (folder / plugins).exists():
            (folder / plugins).symlink_to(MELTANO / plugins)
    return folder


@dg.asset(
    partitions_def=places,
    kinds={"meltano", "postgres"},
    retry_policy=dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL),
)
def users() -> dg.MaterializeResult[None]:
    """The users of all pools of an account in a region."""
    context = dg.AssetExecutionContext.get()
    account, _, region = context.partition_key.partition("_")
    # A run that is stopped gets a signal and can end in order. After one that was killed
    # Meltano's lock stays for minutes: `--force`, as dagster.yaml lets one run at a time.
    run = dg.PipesSubprocessClient().run(
        context=context,
        command=[
            *PRIVATELY,
            *("meltano", "--environment=mirror", "run", "--force"),
            *("--state-id-suffix", context.partition_key, "tap-cognito", "target-postgres"),
        ],
        cwd=str(PROJECT),
        env={
            "MELTANO_SYS_DIR_ROOT": str(meltano_folder(context.partition_key)),
            "TAP_COGNITO_AWS_ASSUME_ROLE_ARN": f"arn:aws:iam::{account}:role/{ROLE}",
            "TAP_COGNITO_USER_POOL_IDS": json.dumps([f"{region}_*"]),
            "TAP_COGNITO__LOAD_SCHEMA": schema(context.partition_key),
        },
    )
    return run.get_materialize_result()


@dg.asset(deps=[users], kinds={"postgres"})
def every_user() -> None:
    """A view of all partitions' tables: to be made again when an account or a region comes."""
    tables = [
        sql.SQL("select {place} as place, * from {table}").format(
            place=sql.Literal(place), table=sql.Identifier(schema(place), "users")
        )
        for place in places.get_partition_keys()
    ]
    settings = {
        name: os.environ[f"TARGET_POSTGRES_{variable}"]
        for name, variable in {
            **{name: name.upper() for name in ("host", "port", "user", "password")},
            "dbname": "DATABASE",
        }.items()
    }
    with psycopg.connect(**settings) as connection:
        connection.execute("create schema if not exists cognito")
        connection.execute("drop view if exists cognito.every_user")
        connection.execute(
            sql.SQL("create view cognito.every_user as ") + sql.SQL(" union all ").join(tables)
        )


load = dg.define_asset_job("load", selection=[users])
unite = dg.define_asset_job("unite", selection=[every_user])


@dg.schedule(job=load, cron_schedule="0 2 * * *")
def nightly() -> list[dg.RunRequest]:
    """Every partition, every night."""
    return [dg.RunRequest(partition_key=place) for place in places.get_partition_keys()]


defs = dg.Definitions(
    assets=[users, every_user],
    jobs=[load, unite],
    schedules=[nightly],
    executor=dg.in_process_executor,  # each run has a process of its own already
)
