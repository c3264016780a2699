"""Singer: files, messages, maps, and the SDK."""

from __future__ import annotations
