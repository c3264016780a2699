"""The operations on one user: AdminGetUser, and how the user signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import paging
from emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from emulator.behaviour import Behaviour
    from emulator.pool import Pool
    from emulator.wire import Wire

_MOST_SESSIONS = 125


class UserDetails:
    """The operations on one user, as a behaviour wants them.

    Attributes:
        operations: Each by its name.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        """Follow `behaviour` as it is at the time of each request."""
        self._behaviour = behaviour
        self.operations: Mapping[str, Callable[[Pool, Wire], Wire]] = {
            "AdminGetUser": _get_user,
            "AdminGetUserAuthFactors": _get_factors,
            "AdminListDevices": self._list_devices,
            "AdminListUserAuthEvents": self._list_events,
            "AdminListUserSessions": self._list_sessions,
        }

    def _list_sessions(self, pool: Pool, parameters: Wire) -> Wire:
        if pool.session_configuration["UserSessionTracking"] != "ENABLED":
            message = "Session tracking is not enabled for the user pool."
            raise ApiError("OperationNotEnabledException", message)
        found = pool.sessions[_name(pool, parameters)]
        size = self._behaviour.page_size("AdminListUserSessions", _MOST_SESSIONS)
        return paging.page_of(found, parameters, "Sessions", size=size)

    def _list_events(self, pool: Pool, parameters: Wire) -> Wire:
        add_ons = pool.description.get("UserPoolAddOns", {})
        if add_ons.get("AdvancedSecurityMode", "OFF") == "OFF":
            message = "User pool add-ons are not enabled."
            raise ApiError("UserPoolAddOnNotEnabledException", message)
        found = pool.auth_events[_name(pool, parameters)]
        wanted = paging.limit(parameters, "MaxResults")
        size = self._behaviour.page_size("AdminListUserAuthEvents", wanted)
        return paging.page_of(found, parameters, "AuthEvents", size=size)

    def _list_devices(self, pool: Pool, parameters: Wire) -> Wire:
        if "DeviceConfiguration" not in pool.description:
            message = "Device tracking is not enabled for the user pool."
            raise ApiError("InvalidUserPoolConfigurationException", message)
        # The only one of these operations that isn't said to answer UserNotFoundException.
        found = pool.devices[_name(pool, parameters, "ResourceNotFoundException")]
        size = self._behaviour.page_size("AdminListDevices", paging.limit(parameters, "Limit"))
        return paging.page_of(found, parameters, "Devices", "PaginationToken", size=size)


def _get_user(pool: Pool, parameters: Wire) -> Wire:
    user = pool.user(_name(pool, parameters))
    answer = {
        "UserAttributes" if name == "Attributes" else name: value for name, value in user.items()
    }
    return answer | _mfa(pool, user["Username"])


def _get_factors(pool: Pool, parameters: Wire) -> Wire:
    name = _name(pool, parameters)
    factors = {"ConfiguredUserAuthFactors": pool.factors[name]}
    return {"Username": name} | _mfa(pool, name) | factors


def _mfa(pool: Pool, username: str) -> Wire:
    settings = pool.mfa(username)
    if not settings:
        return {}
    return {"PreferredMfaSetting": settings[0], "UserMFASettingList": sorted(settings)}


def _name(pool: Pool, parameters: Wire, code: str = "UserNotFoundException") -> str:
    """Return the name of the user that a request means."""
    try:
        return str(pool.user(str(parameters.get("Username")))["Username"])
    except KeyError:
        raise ApiError(code, "User does not exist.") from None
