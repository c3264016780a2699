"""The forms of a catalog and a state, as JSON Schemas."""

from __future__ import annotations

from jsonschema import Draft202012Validator

from tap_cognito.config.settings import POOL_ID
from tap_cognito.dates import LONGEST_DATE

_NAMES = {"type": ["array", "null"], "items": {"type": "string"}}
_TEXT = {"type": ["string", "null"]}
_TYPE = {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]}
_FLAG = {"type": ["boolean", "null"]}

CATALOG = Draft202012Validator(
    {
        "type": "object",
        "required": ["streams"],
        "properties": {
            "streams": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["tap_stream_id"],
                    "properties": {
                        "tap_stream_id": {"type": "string"},
                        "stream": _TEXT,
                        "selected": _FLAG,
                        "key_properties": _NAMES,
                        "replication_key": _TEXT,
                        "replication_method": _TEXT,
                        "schema": {"$ref": "#/$defs/schema"},
                        "metadata": {
                            "type": ["array", "null"],
                            "items": {
                                "type": "object",
                                "required": ["breadcrumb", "metadata"],
                                "properties": {
                                    "breadcrumb": {"type": "array", "items": {"type": "string"}},
                                    "metadata": {
                                        "type": "object",
                                        "properties": {
                                            "selected": _FLAG,
                                            "selected-by-default": _FLAG,
                                            "replication-key": _TEXT,
                                            "replication-method": _TEXT,
                                            "forced-replication-method": _TEXT,
                                            "table-key-properties": _NAMES,
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            }
        },
        "$defs": {
            "schema": {
                "type": "object",
                "properties": {
                    "selected": _FLAG,
                    "inclusion": _TEXT,
                    "type": {"anyOf": [_TYPE, {"type": "array", "items": _TYPE, "minItems": 1}]},
                    "properties": {
                        "type": "object",
                        "additionalProperties": {"$ref": "#/$defs/schema"},
                    },
                    "items": {"$ref": "#/$defs/schema"},
                },
            }
        },
    }
)

_DATE = {**_TEXT, "maxLength": LONGEST_DATE}

_OLDER = {
    "replication_key": {**_TEXT, "pattern": "^[a-z_]{1,40}$"},
    "replication_key_value": _DATE,
    "replication_key_signpost": _DATE,
    "starting_replication_value": _DATE,
    "progress_markers": {"type": "object"},
}
"""Bookmarks as older versions and the SDK write them."""

_POOL = {"type": "string", "pattern": POOL_ID}

_STREAM = {
    "type": "object",
    "properties": {
        **_OLDER,
        "version": {"type": ["integer", "null"], "minimum": 0},
        "scan": {"type": ["string", "object", "null"]},  # an object in older versions
        "pools": {
            "type": "object",
            "propertyNames": _POOL,
            "additionalProperties": {
                "type": "object",
                "required": ["updated_at", "start_date", "scope"],
                "properties": {
                    "updated_at": _DATE,
                    "start_date": _DATE,
                    "scope": {**_TEXT, "maxLength": 200},
                },
                "additionalProperties": False,
            },
        },
        "partitions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["context"],
                "properties": {
                    **_OLDER,
                    "filter": {**_TEXT, "pattern": "^[0-9a-f]{1,128}$"},
                    "context": {
                        "type": "object",
                        "required": ["user_pool_id"],
                        "properties": {"user_pool_id": _POOL},
                        "additionalProperties": False,
                    },
                },
            },
        },
    },
    "additionalProperties": False,
}

STATE = Draft202012Validator(
    {
        "type": "object",
        "properties": {
            "currently_syncing": _TEXT,
            "bookmarks": {"type": "object", "additionalProperties": _STREAM},
        },
    }
)
