"""Compares what tap-cognito reads from a real pool with what a plain loop over the API reads."""

from __future__ import annotations
