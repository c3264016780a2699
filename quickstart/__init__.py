"""The whole pipeline on one machine: an emulated user pool, Meltano, an embedded Postgres."""

from __future__ import annotations
