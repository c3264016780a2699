"""A loop over boto3's paginator of `list_users` that only counts."""

from __future__ import annotations

import sys

import boto3


def main() -> None:
    """Count the users of a pool. The arguments are its URL and its id."""
    url, pool_id = sys.argv[1:]
    client = boto3.client("cognito-idp", endpoint_url=url)
    pages = client.get_paginator("list_users").paginate(UserPoolId=pool_id)
    sys.stdout.write(f"{sum(len(page['Users']) for page in pages)}\n")


if __name__ == "__main__":
    main()
