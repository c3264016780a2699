"""Responses that Cognito doesn't give: never taken for the last page, bounded, no traceback."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import socket
import socketserver
import sys
import threading
import time
from datetime import datetime, timezone
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito import client, parallel, responses
from tap_cognito.cognito.request_ids import RepeatedResponseError, RequestIds
from tap_cognito.error_codes import ErrorKind, classify, error_code
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.answers import records
from tests.support.catalogs import selected
from tests.support.emulated import answering
from tests.support.hostile import ATTACKS, Asked, Hostile, response
from tests.support.listings import pages, pool_at, served_pool
from tests.support.paths import ROOT
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_cognito.cognito.listing import UserPool

from botocore.exceptions import ClientError

DATE = 1_700_000_000
RELIABILITY = ROOT / "docs" / "reliability.md"


@pytest.mark.parametrize(
    "user",
    [
        '"ada"',
        "5",
        "null",
        '{"Attributes": []}',
        '{"Username": 5}',
        f'{{"Username": "{"ada" * 1_000}"}}',
        '{"Username": "ada", "UserCreateDate": NaN}',
        '{"Username": "ada", "UserCreateDate": Infinity}',
        '{"Username": "ada", "UserCreateDate": 1e30}',
        '{"Username": "ada", "UserCreateDate": 253402300800}',
        '{"Username": "ada", "UserCreateDate": "10000-01-01T00:00:00Z"}',
        '{"Username": "ada", "UserCreateDate": ""}',
        '{"Username": "ada", "UserCreateDate": true}',
        '{"Username": "ada", "UserCreateDate": []}',
        f'{{"Username": "ada", "UserCreateDate": "{"9" * 2_000_000}"}}',
        '{"Username": "ada", "UserCreateDate": "yesterday"}',
    ],
    ids=lambda user: user[:40],
)
def test_a_malformed_user_fails_the_scan(user: str) -> None:
    """A user of a shape that Cognito never sends fails the scan in one line without its content."""
    began = time.process_time()
    answer = f'{{"Users": [{user}]}}'
    with answering(answer) as emulator, pytest.raises(TapCognitoError) as failure:
        list(pages(served_pool(emulator)))
    assert str(failure.value).startswith("the response to ListUsers is malformed (")
    assert "ada" not in str(failure.value)
    assert "yesterday" not in str(failure.value)
    assert time.process_time() - began < 5


def test_a_malformed_response_fails_its_stream_only() -> None:
    """A malformed response fails its own stream, as any failure does, and isn't called a bug."""
    with answering('{"Users": [{"Attributes": []}]}') as emulator:
        tap = TapCognito(config=emulator_config(emulator))
        with pytest.raises(TapCognitoError, match=r"^`users`: the response to ListUsers is malf"):
            tap.sync_all()


@pytest.mark.parametrize(
    ("stream", "answer"),
    [
        *(("users", f'{{"Users": {users}}}') for users in ("5", "true", '"ada"', "{}", "[[]]")),
        *(
            ("users", f'{{"Users": [{{"Username": "ada", "Attributes": {attributes}}}]}}')
            for attributes in ("5", "true", "[5]", "[null]", "[{}]", '["ada"]', '{"Name": "ada"}')
        ),
        (
            "users",
            '{"Users": [{"Username": "ada", "Attributes": [{"Name": "email", "Value": 5}]}]}',
        ),
        ("user_pool", '{"UserPool": "ada"}'),
        ("user_pool", '{"UserPool": {"Id": "ada", "DeviceConfiguration": "ada"}}'),
        ("log_delivery", '{"LogDeliveryConfiguration": 5}'),
        ("log_delivery", '{"LogDeliveryConfiguration": "ada"}'),
    ],
)
def test_an_answer_of_another_shape_is_malformed(stream: str, answer: str) -> None:
    """An answer of another shape fails in one line that names the stream and quotes nothing."""
    with answering(answer) as emulator:
        tap = TapCognito(config=emulator_config(emulator), catalog=selected(stream))
        with pytest.raises(TapCognitoError, match=f"^`{stream}`: the response to ") as failure:
            tap.sync_all()
    assert "is malformed (" in str(failure.value)
    assert "ada" not in str(failure.value)


def test_dates_come_as_numbers_or_text() -> None:
    """Epoch seconds, as AWS sends them, and ISO 8601, as some emulators do, are the same moment."""
    users = [
        {"Username": "a", "UserCreateDate": DATE},
        {"Username": "b", "UserCreateDate": "2023-11-14T22:13:20Z"},
        {"Username": "c", "UserCreateDate": "2023-11-14T17:13:20-05:00"},
        {"Username": "d", "UserCreateDate": "2023-11-14T22:13:20"},
    ]
    with answering(json.dumps({"Users": users})) as emulator:
        (found,) = pages(served_pool(emulator))
    moment = datetime.fromtimestamp(DATE, timezone.utc)
    assert {user["UserCreateDate"] for user in found} == {moment}


@pytest.mark.parametrize(("more", "milliseconds"), [(0.0004, 0), (0.0006, 1), (0.9996, 1_000)])
def test_dates_are_rounded_to_milliseconds(more: float, milliseconds: int) -> None:
    """A finer date than AWS's is the nearest millisecond, not the one before."""
    with answering(json.dumps({"Users": [{"Username": "a", "UserCreateDate": DATE + more}]})) as it:
        ((user,),) = pages(served_pool(it))
    assert round(user["UserCreateDate"].timestamp() * 1000) == DATE * 1000 + milliseconds


@pytest.mark.parametrize("dates", ["", ', "UserCreateDate": null, "UserLastModifiedDate": null'])
def test_a_missing_date_is_null(dates: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A user without dates, or with empty ones, arrives without them."""
    with answering(f'{{"Users": [{{"Username": "ada"{dates}}}]}}') as emulator:
        (user,) = records(emulator_config(emulator), capfd, "users")
    assert (user["username"], user["created_at"], user["updated_at"]) == ("ada", None, None)


@pytest.mark.parametrize("depth", [10, 100_000])
def test_a_deep_response_is_malformed_at_most(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON that is nested too deep is one line, not a bug."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    gc.collect()  # what earlier tests left behind can't be finalized at the end of the stack
    answer = '{"Users": ' + "[" * depth + "]" * depth + "}"
    with answering(answer) as emulator, pytest.raises(TapCognitoError, match="the response to"):
        list(pages(served_pool(emulator)))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "TooManyRequestsException", ErrorKind.THROTTLED),
        (400, "LimitExceededException", ErrorKind.THROTTLED),
        (400, "RequestThrottledException", ErrorKind.THROTTLED),
        (429, "429", ErrorKind.THROTTLED),
        (400, "InternalErrorException", ErrorKind.TRANSIENT),
        (400, "RequestTimeout", ErrorKind.TRANSIENT),
        (408, "408", ErrorKind.TRANSIENT),
        (500, "Anything", ErrorKind.TRANSIENT),
        (503, "503", ErrorKind.TRANSIENT),
        (500, "Unsupported", ErrorKind.UNSUPPORTED),
        (400, "ExpiredTokenException", ErrorKind.EXPIRED),
        (400, "RequestTimeTooSkewed", ErrorKind.CLOCK_SKEW),
        (400, "Anything", ErrorKind.OTHER),
    ],
)
def test_errors_are_told_apart(status: int, code: str, kind: ErrorKind) -> None:
    """Throttling, transient faults and refusals are classified by code and status."""
    metadata: Any = {"HTTPStatusCode": status}
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": metadata}
    assert classify(ClientError(response, "ListUsers")) is kind


@pytest.mark.parametrize(
    "code",
    ["A" * 81, "jane@example.com", "jane doe", "Jane\n", "\x1b[31m", "", 5, None, {"jane": 1}],
)
def test_what_does_not_look_like_a_code_is_not_repeated(code: Any) -> None:
    """An error code that could be a person, a token or a page isn't in the message."""
    response: Any = {"Error": {"Code": code}}
    assert error_code(ClientError(response, "ListUsers")) == "an unknown error code"


class _Hostile(socketserver.BaseRequestHandler):
    """Sends a response of any size, at any pace."""

    def handle(self) -> None:
        """Answer one request."""
        self.request.recv(1 << 16)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        with contextlib.suppress(OSError):  # the client goes away
            for chunk in self.server.chunks():  # type: ignore[attr-defined]
                self.request.sendall(chunk)


@pytest.fixture
def hostile() -> Iterator[Callable[[Callable[[], Iterator[bytes]]], UserPool]]:
    """Makes a pool behind a server that sends the given bytes."""
    servers = []

    def serve(chunks: Callable[[], Iterator[bytes]]) -> UserPool:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Hostile)
        server.daemon_threads = True
        server.chunks = chunks  # type: ignore[attr-defined]
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        return pool_at(url)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_response_without_end_is_refused(
    hostile: Callable[[Callable[[], Iterator[bytes]]], UserPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response beyond the size limit fails, and isn't read further."""
    monkeypatch.setattr(responses, "MAX_BODY_BYTES", 1 << 20)

    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            yield b" " * (1 << 16)
            sent += 1 << 16

    with pytest.raises(TapCognitoError, match="too large"):
        list(pages(hostile(endless)))
    assert sent < 1 << 24  # what the system's buffers hold is sent too


def test_a_response_that_trickles_ends(
    hostile: Callable[[Callable[[], Iterator[bytes]]], UserPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response that arrives byte by byte fails when its time is over."""
    monkeypatch.setattr(responses, "MAX_SECONDS", 0.3)
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    released = threading.Event()

    def trickle() -> Iterator[bytes]:
        for _ in range(500):  # longer than the test may take
            if not released.wait(0.02):
                yield b" "

    began = time.monotonic()
    with pytest.raises(TapCognitoError, match="no answer from"):
        list(pages(hostile(trickle)))
    released.set()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("status", "fault"), [("503 Slow Down", ""), ("400 Bad Request", r"ListUsers: .* \(400\)")]
)
def test_an_error_that_is_no_text_is_told_by_its_status(
    status: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error body that isn't UTF-8 is classified by its status: a transient one is retried."""
    body = b'{"__type": "OtherException", "message": "\xff"}'
    monkeypatch.setitem(ATTACKS, "no text", lambda _: response(body, status))
    with Emulator(Pool(3)) as emulator, Hostile(emulator.url) as server:
        server.reset("no text", times=1)
        pool = pool_at(server.url, emulator.pool.id)
        outcome: Any = pytest.raises(TapCognitoError, match=fault) if fault else None
        with outcome or contextlib.nullcontext():
            assert len([*chain(*pages(pool))]) == 3
        assert server.seen["ListUsers"] == 1 + (not fault)


def numbered(is_repeated: Callable[[int], bool]) -> Callable[[Asked], bytes]:
    """Answer with request ids as AWS does, but for some requests with what was answered before."""
    numbers = itertools.count(1)
    answers: list[bytes] = []

    def attack(asked: Asked) -> bytes:
        number = next(numbers)
        if not is_repeated(number):
            answers.append(response(asked.truth()[1], "200 OK", f"x-amzn-RequestId: {number}"))
        return answers[-1]

    return attack


def read_through(
    attack: Callable[[Asked], bytes],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> set[tuple[str, str]]:
    """Read the groups of twenty pools through a proxy; return them, each with its pool."""
    monkeypatch.setitem(ATTACKS, "numbered", attack)
    monkeypatch.setattr(parallel, "CONCURRENCY", 1)  # what is repeated has arrived before
    pools = [Pool(0, pool_id=f"us-east-1_M{number}") for number in range(20)]
    for pool in pools:
        pool.groups = {pool.id: {"GroupName": pool.id}}
    with Emulator(pools=pools) as emulator, Hostile(emulator.url) as server:
        server.reset("numbered", times=10**6)
        pool_ids = [pool.id for pool in pools]
        config = emulator_config(emulator, endpoint_url=server.url, user_pool_ids=pool_ids)
        found = records(config, capfd, "groups")
    return {(each["user_pool_id"], each["group_name"]) for each in found}


OF_TWENTY = {(f"us-east-1_M{number}", f"us-east-1_M{number}") for number in range(20)}


def test_a_response_to_another_request_is_asked_for_again(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that repeats responses gives no pool another pool's groups."""
    attack = numbered(lambda number: number % 3 == 0)
    assert read_through(attack, capfd, monkeypatch) == OF_TWENTY


def test_a_proxy_that_repeats_one_response_fails_the_run(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a line that says what it does."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    with pytest.raises(TapCognitoError, match="20 pools couldn't be read"):
        read_through(numbered(lambda number: number > 4), capfd, monkeypatch)
    assert "ListGroups was that to an earlier request, repeatedly: check proxies" in caplog.text


def test_ids_that_are_all_the_same_prove_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emulator may give all responses one id."""

    def attack(asked: Asked) -> bytes:
        return response(asked.truth()[1], "200 OK", "x-amzn-RequestId: 1")

    assert read_through(attack, capfd, monkeypatch) == OF_TWENTY


def test_the_last_ten_thousand_ids_are_remembered() -> None:
    """Of more the oldest is forgotten."""
    ids = RequestIds()
    answers = [{"headers": {"x-amzn-RequestId": str(number)}} for number in range(10_001)]
    for answer in answers:
        ids.check(answer)
    for repeated in (answers[1], answers[-1]):
        with pytest.raises(RepeatedResponseError):
            ids.check(repeated)
    ids.check(answers[0])


def test_a_page_that_is_no_text_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with bytes that aren't UTF-8 is requested again, so that no name lacks characters."""
    body = b'{"Users": [{"Username": "ada\xff"}]}'
    monkeypatch.setitem(ATTACKS, "no text", lambda _: response(body))
    with Emulator(Pool(1)) as emulator, Hostile(emulator.url) as server:
        server.reset("no text", times=1)
        pool = pool_at(server.url, emulator.pool.id)
        (user,) = chain(*pages(pool))
        assert user["Username"] == emulator.pool.username(0)


def test_requests_name_the_tap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user agent of each request, which CloudTrail keeps, has the tap's name."""
    agents: list[str] = []

    def note(asked: Asked) -> bytes:
        agents.append(asked.headers["User-Agent"])
        return response(b'{"Users": []}')

    monkeypatch.setitem(ATTACKS, "note", note)
    with Emulator(Pool(1)) as emulator, Hostile(emulator.url) as server:
        server.reset("note", times=1)
        assert list(pages(pool_at(server.url, emulator.pool.id))) == [[]]
    (agent,) = agents
    assert "tap-cognito" in agent.split()


def test_the_largest_page_is_read() -> None:
    """A page of sixty users with every attribute at its greatest length is read."""
    attribute = {"Name": "custom:a", "Value": "\N{GRINNING FACE}" * 2_048}
    user = {"Username": "ada", "Attributes": [attribute] * 50}
    answer = json.dumps({"Users": [user] * 60}, ensure_ascii=False)
    with answering(answer) as emulator:
        listing = served_pool(emulator).listing("ListUsers", "Users")
        (page,) = listing.read(threading.Event())
    assert page
    assert len(page.items) == 60


@pytest.mark.skipif(sys.platform != "linux", reason="others refuse what isn't accepted")
def test_a_connection_that_nobody_accepts_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting to a host that drops all packets ends after the connect timeout."""
    monkeypatch.setattr(client, "CONNECT_TIMEOUT", 0.2)
    monkeypatch.setattr(client, "START_SECONDS", 0.0)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):  # the queue is full from now on
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        pool = pool_at(url)
        began = time.monotonic()
        with pytest.raises(TapCognitoError, match=r"no answer from .* \(ConnectTimeoutError\)"):
            list(pages(pool))
    assert time.monotonic() - began < 10


def test_the_documented_limits_are_those_that_hold() -> None:
    """The timeouts and the size limit are those that docs/reliability.md promises."""
    text = " ".join(RELIABILITY.read_text("utf-8").split())
    assert f"no answer within the read timeout of {client.READ_TIMEOUT} s" in text
    assert f"A connection must be made within {client.CONNECT_TIMEOUT} s" in text
    size = responses.MAX_BODY_BYTES >> 20
    assert f"for more than {responses.MAX_SECONDS:.0f} s, or exceeds {size} MiB" in text
