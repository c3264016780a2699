"""The remembered devices of each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.details import Detail
from tap_cognito.replication.columns import Column, date, key, storable
from tap_cognito.replication.per_user import PerUserStream
from tap_cognito.replication.stream import POOL_ID

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import Item


def _attribute(column: str, name: str, description: str) -> Column:
    def value(device: Item) -> object:
        for attribute in device.get("DeviceAttributes") or ():
            if attribute["Name"] == name:
                return storable(attribute.get("Value"))
        return None

    return Column(column, {"type": ["string", "null"]}, description, value)


class UserDevicesStream(PerUserStream):
    """The remembered devices of each user: one request a user, where the pool remembers them."""

    name = "user_devices"
    primary_keys = ("user_pool_id", "username", "device_key")
    details = (Detail("AdminListDevices", "Devices", "DeviceKey"),)
    columns = (
        POOL_ID,
        key("username", "Username", "The name of the user, unique in the pool."),
        key("device_key", "DeviceKey", "The id of the device."),
        _attribute("device_status", "device_status", "Such as valid."),
        date("created_at", "DeviceCreateDate", "When it was first remembered, in UTC."),
        date("updated_at", "DeviceLastModifiedDate", "When it was last changed, in UTC."),
        date(
            "last_authenticated_at",
            "DeviceLastAuthenticatedDate",
            "When the user last signed in with it, in UTC.",
        ),
    )
    personal = (
        _attribute("device_name", "device_name", "The name of the device."),
        _attribute("last_ip_address", "last_ip_used", "The IP address it was last used from."),
    )
