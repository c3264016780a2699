"""The Cognito API: requests, listings, pace. Nothing here knows Singer.

The API is documented at
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/ and its quotas at
https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
"""

from __future__ import annotations
