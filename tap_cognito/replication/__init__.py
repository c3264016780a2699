"""From sources to records: columns, scans that can be resumed, bookmarks, the state.

Nothing here knows boto3.
"""

from __future__ import annotations
