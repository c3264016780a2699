"""One asset for each user pool: what its Meltano job loads.

`dagster dev -f definitions.py` shows them; `DAGSTER_HOME` names the folder of `dagster.yaml`.
"""
# ruff: noqa: INP001 - no package

from __future__ import annotations

from pathlib import Path

import dagster as dg

PROJECT = Path(__file__).resolve().parent.parent / "several-pools"
JOBS = ("staff", "shop")
"""Of PROJECT's meltano.yml."""


def users(job: str) -> dg.AssetsDefinition:
    """The table of users that a job loads.

    All of them are in one concurrency pool, as the user pools share one quota: `dagster.yaml`
    lets one of its tasks run at a time, whatever run it is part of.
    """

    @dg.asset(
        key=[job, "users"],
        pool="cognito-eu-central-1",
        kinds={"meltano", "postgres"},
        retry_policy=dg.RetryPolicy(max_retries=2, delay=300),
    )
    def load() -> dg.MaterializeResult[None]:
        # A run that is stopped gets a signal and can end in order: no lock stays behind.
        run = dg.PipesSubprocessClient().run(
            context=dg.AssetExecutionContext.get(),
            command=["meltano", "run", job],
            cwd=str(PROJECT),
        )
        return run.get_materialize_result()

    return load


every_pool = dg.define_asset_job("every_pool", selection=dg.AssetSelection.all())

defs = dg.Definitions(
    assets=[users(job) for job in JOBS],
    schedules=[dg.ScheduleDefinition(job=every_pool, cron_schedule="0 2 * * *")],
)
