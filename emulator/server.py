"""The service behind HTTP."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from emulator import signing, sts
from emulator.api import Api, Caller
from emulator.behaviour import Behaviour
from emulator.connection import Received, Reply, Server, encode, request_id
from emulator.errors import INVALID, ApiError
from emulator.faults import FAULTS, Fault, Outage
from emulator.pool import Pool
from emulator.requestlog import Request, RequestLog
from emulator.schedule import Schedule
from emulator.signing import Credential

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from typing_extensions import Self

    from emulator.wire import Wire

_TARGET = "AWSCognitoIdentityProviderService."
_NO_FAULT = Fault()
_ANYBODY = Credential("")


@dataclass
class Emulator(Behaviour):
    """Serves one pool or many on 127.0.0.1 between entry and exit of its context.

    One address serves Cognito in all regions and accounts, and STS. A request's region is that of
    its signature, its account that of the identity that signed it. All attributes of `Behaviour`
    are keyword arguments and may be set at any time.

    Attributes:
        pool: The pool that is served, the first one if there are many.
        port: Where it is served, 0 for any free port; later entries use the same one again.
        pools: All pools that are served now, in the place of `pool`.
        log: The requests so far.
    """

    pool: Pool = field(default_factory=Pool)
    port: int = 0
    pools: Collection[Pool] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Prepare the parts that outlast a context."""
        self.log = RequestLog()
        self._api = Api(self)
        self._sts = sts.Sts()
        self._regions: set[str] = set()
        for pool in self.pools or (self.pool,):
            self.add_pool(pool)
        self.pools = self._api.pools.values()
        self.pool = next(iter(self.pools))
        self._schedule = Schedule()
        self._outages: list[Outage] = []
        self._stopping = threading.Event()
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._stopping.clear()
        self._server = Server(self.port, self._respond)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and close every connection."""
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.close()  # waits for the requests under way: the log is complete

    def add_pool(self, pool: Pool) -> None:
        """Serve one more pool from now on."""
        self._regions.add(pool.region)
        self._api.pools[pool.account, pool.region, pool.id] = pool

    def remove_pool(self, pool: Pool) -> None:
        """Delete a pool from the service."""
        del self._api.pools[pool.account, pool.region, pool.id]

    def outage(
        self, seconds: float, status: int | None = 503, operations: Collection[str] | None = None
    ) -> None:
        """Fail every request from now on for a while.

        Args:
            seconds: How long.
            status: HTTP status of every response, None for connections that are reset instead.
            operations: Which operations fail, None for all.
        """
        self._outages.append(Outage(time.monotonic() + seconds, status, operations))

    def before_request(
        self, number: int, action: Callable[[], object], operations: Collection[str] | None = None
    ) -> None:
        """Run an action when a request arrives, before it is carried out.

        Args:
            number: Which of the requests from now on, from 1.
            action: Run once: a deletion, an outage, a new behaviour.
            operations: Which operations' requests count, None for all.
        """
        self._schedule.add(number, action, operations)

    def answer(self, operation: str, parameters: Wire, region: str | None = None) -> Reply:
        """Carry out a request of this process: without HTTP and signature.

        Args:
            operation: Such as "ListUsers".
            parameters: As in the API's JSON.
            region: Where it is sent to, default that of the first pool.

        Raises:
            ValueError: a fault hits it that isn't an answer of the service.
        """
        caller = Caller(_ANYBODY.account, region or self.pool.region, _ANYBODY.arn)

        def carry_out(number: int) -> tuple[Caller, Reply]:
            try:
                return caller, self._success(operation, parameters, caller)
            except ApiError as error:
                return caller, _refusal(error, number, is_sts=False)

        reply, fault, _ = self._exchange(operation, parameters, carry_out)
        if not fault.code and fault != _NO_FAULT:
            message = "a fault of HTTP in a request without it"
            raise ValueError(message)
        return reply

    def _respond(self, received: Received) -> tuple[bytes, str]:
        if not received.line.startswith("POST / "):
            return encode(self._control(received.line), _NO_FAULT, 0), "open"
        target = received.headers.get("x-amz-target")
        is_sts = target is None
        parameters: Wire
        if target is None:
            parameters = dict(parse_qsl(received.body.decode()))
            operation = str(parameters.get("Action"))
        else:
            parameters = json.loads(received.body)
            operation = target.removeprefix(_TARGET)

        def carry_out(number: int) -> tuple[Caller, Reply]:
            return self._reply(operation, parameters, received, number, is_sts=is_sts)

        reply, fault, number = self._exchange(operation, parameters, carry_out, is_sts=is_sts)
        return encode(reply, fault, number), fault.end

    def _exchange(
        self,
        operation: str,
        parameters: Wire,
        carry_out: Callable[[int], tuple[Caller, Reply]],
        *,
        is_sts: bool = False,
    ) -> tuple[Reply, Fault, int]:
        start, number = time.monotonic(), next(self._numbers)
        self._schedule.advance(operation)
        name, fault = self._fault(operation)
        caller, reply = carry_out(number)
        outcome = name or reply.code or "ok"
        if fault.code:
            error = ApiError(fault.code, "Injected", fault.status)
            reply = _refusal(error, number, is_sts=is_sts)
        elif fault.page:
            reply = Reply(fault.status, fault.page, "text/html")
        if wait := self.latency + (self.slow_seconds if fault.slow else 0):
            self._stopping.wait(wait)
        request = Request(
            received=start,
            answered=time.monotonic(),
            operation=operation,
            filter=parameters.get("Filter"),
            token=not parameters.keys().isdisjoint({"PaginationToken", "NextToken"}),
            status=0 if fault.keep is None else reply.status,
            outcome="throttled" if outcome == "TooManyRequestsException" else outcome,
            pool_id=parameters.get("UserPoolId"),
            region=caller.region,
            account=caller.account,
        )
        self.log.requests.append(request)
        return reply, fault, number

    def _fault(self, operation: str) -> tuple[str | None, Fault]:
        for outage in self._outages:
            if outage.hits(operation):
                return "outage", outage.fault
        name = self.faults.draw(operation) if self.faults else None
        return name, FAULTS[name] if name else _NO_FAULT

    def _reply(
        self, operation: str, parameters: Wire, received: Received, number: int, *, is_sts: bool
    ) -> tuple[Caller, Reply]:
        scope = signing.scope(received.headers)
        region = scope.region if scope else self.pool.region
        identity, known = _ANYBODY, self.credentials
        if scope and scope.key_id in self._sts.issued:
            known = self._sts.issued
        try:
            if known is not None:
                regions = None if is_sts else {*self._regions, *self.regions}
                identity = signing.check(received.headers, received.body, known, regions)
            caller = Caller(identity.account, region, identity.arn)
            if is_sts:
                answer = self._sts.answer(parameters, identity, self.roles)
                reply = Reply(200, answer.encode(), "text/xml")
            else:
                reply = self._success(operation, parameters, caller)
        except ApiError as error:
            reply = _refusal(error, number, is_sts=is_sts)
        return Caller(identity.account, region, identity.arn), reply

    def _success(self, operation: str, parameters: Wire, caller: Caller) -> Reply:
        carry_out = partial(self._api.answer, operation, parameters, caller)
        respond = self.respond
        text = respond(operation, parameters, carry_out) if respond else carry_out()
        return Reply(200, text.encode())

    def _control(self, line: str) -> Reply:
        if line.startswith("POST /_reset "):
            self.log.requests.clear()
        elif not line.startswith("GET /_stats "):
            return Reply(404, b"{}", "application/json")
        counts, seconds = self.log.by_operation(), self.log.seconds()
        users = sum(map(len, list(self.pools)))
        stats = {"requests": counts, "seconds": seconds, "users": users}
        return Reply(200, json.dumps(stats).encode(), "application/json")


def _refusal(error: ApiError, number: int, *, is_sts: bool) -> Reply:
    message = error.message.replace("{request_id}", request_id(number))
    if is_sts:
        body = sts.refusal(error)
        return Reply(error.status, body.encode(), "text/xml", error.code, message)
    content = {"__type": error.code, "message": message}
    if error.code == INVALID and number % 2:
        content["reasonCode"] = "InvalidParameter"
    return Reply(error.status, json.dumps(content).encode(), code=error.code, message=message)
