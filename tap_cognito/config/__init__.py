"""The settings and what is checked before the first request."""

from __future__ import annotations
