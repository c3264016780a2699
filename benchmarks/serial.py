"""The plain way: boto3's paginator of `list_users`, page after page, only counting."""

from __future__ import annotations

import sys

import boto3


def main() -> None:
    """Count the users of the pool that the arguments name: URL and pool id."""
    url, pool_id = sys.argv[1:]
    client = boto3.client("cognito-idp", endpoint_url=url)
    pages = client.get_paginator("list_users").paginate(UserPoolId=pool_id)
    sys.stdout.write(f"{sum(len(page['Users']) for page in pages)}\n")


if __name__ == "__main__":
    main()
