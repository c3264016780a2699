"""The command line: the SDK's own, ended in a way that a person can read."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from tap_cognito import logs
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from types import FrameType

_GRACE = 1.5
"""Seconds that a blocked target has to take the rest of a line after a signal."""

logger = logging.getLogger("tap-cognito")


class Terminated(BaseException):
    """The process was asked to end by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> None:
    """Run `tap-cognito` with the process's arguments.

    Every failure is one line on stderr and an exit status that is not 0; a traceback is shown
    at log level DEBUG only.
    """
    logs.install()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, _terminate)
    status = 1
    try:
        status = _run()
        _flush()
    except Terminated as end:
        name = signal.Signals(end.number).name
        status = _fail(f"stopped by {name}: the run is not complete", end, 128 + end.number)
        _flush()
    finally:
        # Readers may still wait for an answer: nobody waits for them. What they hold is nothing.
        logging.shutdown()
        os._exit(status)


def _flush() -> None:
    """Write what a run that failed has left in the buffer, if it can be written."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()


def _run() -> int:
    """Run the command line; returns the exit status."""
    try:
        return _command()
    except Exception as error:  # noqa: BLE001 - the last resort
        # Not its text, which may hold anything.
        where = traceback.extract_tb(error.__traceback__)[-1]
        return _fail(
            f"a bug: {type(error).__name__} in {where.name}, line {where.lineno} of "
            f"{os.path.basename(where.filename)}. TAP_COGNITO_LOGLEVEL=DEBUG shows more",  # noqa: PTH119
            error,
        )


def _command() -> int:
    # Imported late: a signal during the second that it takes is handled too.
    import click  # noqa: PLC0415
    from singer_sdk.exceptions import SingerSDKError  # noqa: PLC0415

    from tap_cognito.tap import TapCognito  # noqa: PLC0415
    from tap_cognito.writer import buffer_stdout  # noqa: PLC0415

    try:
        buffer_stdout()
        # Not click's `main`: it takes a closed pipe for a reason to end without a word.
        command = TapCognito.cli
        logs.quiet_libraries()
        status = 0
        try:
            with command.make_context(TapCognito.name, sys.argv[1:]) as context:
                command.invoke(context)
        except click.exceptions.Exit as end:
            status = end.exit_code
        except SystemExit as end:
            status = int(end.code or 0)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (TapCognitoError, SingerSDKError) as error:
        return _fail(" ".join(str(error).split()) or type(error).__name__, error)
    except BrokenPipeError as error:
        return _fail("the target has closed its input: the run is not complete", error)
    except OSError as error:
        return _fail(f"{error.strerror or error}: the run is not complete", error)
    return status


def _fail(message: str, error: BaseException, status: int = 1) -> int:
    logger.error("%s", message)
    # The frames only: the texts of a chain of exceptions may quote a request and its token.
    logger.debug("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    return status


def _terminate(number: int, _frame: FrameType | None) -> None:
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    last_resort = threading.Timer(_GRACE, os._exit, [128 + number])
    last_resort.daemon = True
    last_resort.start()
    raise Terminated(number)
