"""How long tap-cognito and others take to read the same emulated pool, side by side."""

from __future__ import annotations
