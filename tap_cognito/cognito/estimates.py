"""DescribeUserPool's estimate of the number of users, and what it proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import Page


def estimate_of(page: Page) -> int | None:
    """Return the estimated number of users.

    Args:
        page: The answer of DescribeUserPool.

    Returns:
        The number; `None` if the answer has none.
    """
    estimate = page.items[0].get("EstimatedNumberOfUsers")
    return estimate if isinstance(estimate, int) else None


def prove_empty(estimate: int | None, failure: TapCognitoError | None = None) -> None:
    """Prove that a pool that returned no user has none.

    Args:
        estimate: The estimated number of users, if it is known.
        failure: Why DescribeUserPool failed, if it did.

    Raises:
        TapCognitoError: If the pool doesn't report that it is empty.
    """
    if estimate == 0:
        return
    reason = "the pool doesn't report that it is empty"
    if failure:
        reason = f"whether the pool is empty is unknown: {failure}"
    raise TapCognitoError(
        f"Cognito returned no user, but {reason}. The rows of the table were kept; retry"
    )
