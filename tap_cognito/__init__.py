"""A Singer tap that reads AWS Cognito user pools."""

from __future__ import annotations
