"""Compares how long tap-cognito and other programs take to read the same emulated pool."""

from __future__ import annotations
