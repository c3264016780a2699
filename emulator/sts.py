"""STS: roles that known identities may assume."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from emulator.errors import ApiError
from emulator.signing import Credential

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

SECRET = "planted-role-secret-5a7c2e91"  # noqa: S105 - fake, for tests to look for
TOKEN = "planted-role-token-b06f43d8"  # noqa: S105
_ROLE = re.compile(r"arn:aws:iam::(\d{12}):role/(?:.*/)?([^/]+)")
_CODES = {
    "ExpiredTokenException": "ExpiredToken",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "UnrecognizedClientException": "InvalidClientTokenId",
}


@dataclass(frozen=True)
class Role:
    """Who may assume a role, and how long its credentials last.

    Attributes:
        external_id: The external id that callers must give, None for any or none.
        trusted: Accounts whose identities may assume it, None for all.
        lifetime: Seconds that credentials last by what the caller is told, None for what it asks.
        valid_for: Seconds that they really last, None for what the caller is told.
    """

    external_id: str | None = None
    trusted: Container[str] | None = None
    lifetime: float | None = None
    valid_for: float | None = None


class Sts:
    """Answers requests to STS.

    Attributes:
        issued: The credentials of roles so far, by access key id.
    """

    def __init__(self) -> None:
        """Begin with no issued credentials."""
        self.issued: dict[str, Credential] = {}
        self._numbers = itertools.count(1)

    def answer(
        self, parameters: Mapping[str, str], caller: Credential, roles: Mapping[str, Role]
    ) -> str:
        """Carry out an action and return its answer as XML.

        Args:
            parameters: Of the request.
            caller: Who signed it.
            roles: All roles, by ARN.

        Raises:
            ApiError: the service would refuse the request.
        """
        action = parameters.get("Action", "")
        if action == "GetCallerIdentity":
            members = f"<Arn>{caller.arn}</Arn><UserId>AIDA</UserId>"
            members += f"<Account>{caller.account}</Account>"
        elif action == "AssumeRole":
            members = self._assume_role(parameters, caller, roles)
        else:
            raise ApiError("InvalidAction", f"Could not find operation {action}.")
        namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
        return (
            f'<{action}Response xmlns="{namespace}"><{action}Result>{members}</{action}Result>'
            f"</{action}Response>"
        )

    def _assume_role(
        self, parameters: Mapping[str, str], caller: Credential, roles: Mapping[str, Role]
    ) -> str:
        arn, session = parameters.get("RoleArn", ""), parameters.get("RoleSessionName", "")
        role, match = roles.get(arn), _ROLE.fullmatch(arn)
        if (
            role is None
            or match is None
            or role.external_id not in (None, parameters.get("ExternalId"))
            or (role.trusted is not None and caller.account not in role.trusted)
        ):
            message = (
                f"User: {caller.arn} is not authorized to perform: sts:AssumeRole "
                f"on resource: {arn}"
            )
            raise ApiError("AccessDenied", message, 403)
        account, name = match.groups()
        lifetime = role.lifetime or float(parameters.get("DurationSeconds", "3600"))
        valid_for = lifetime if role.valid_for is None else role.valid_for
        now, number = time.time(), next(self._numbers)
        key_id, token = f"ASIAEMULATED{number:08}", f"{TOKEN}-{number}"
        identity = f"assumed-role/{name}/{session}"
        self.issued[key_id] = Credential(SECRET, token, now + valid_for, account, identity)
        expiration = datetime.fromtimestamp(now + lifetime, timezone.utc).isoformat()
        return (
            f"<Credentials><AccessKeyId>{key_id}</AccessKeyId>"
            f"<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{token}</SessionToken>"
            f"<Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser>"
            f"<Arn>{self.issued[key_id].arn}</Arn><AssumedRoleId>AROA:{session}</AssumedRoleId>"
            f"</AssumedRoleUser>"
        )


def refusal(error: ApiError) -> str:
    """Return an error as XML, with the code that STS has for it."""
    code = _CODES.get(error.code, error.code)
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{escape(error.message)}</Message></Error></ErrorResponse>"
    )
