"""A task for each user pool: its Meltano job. One runs at a time, as the pools share a quota."""
# ruff: noqa: INP001 - a folder of DAGs

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = Path(__file__).resolve().parent.parent / "several-pools"

with DAG(
    "cognito",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
):
    for job in ("staff", "shop"):
        # What Meltano writes of the settings is for its user alone.
        command = f"umask 077; exec meltano run {job}"
        BashOperator(task_id=job, bash_command=command, cwd=str(PROJECT))
