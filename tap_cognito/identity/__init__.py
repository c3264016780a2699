"""Whose identity the requests carry: credentials, and references to secrets."""

from __future__ import annotations
