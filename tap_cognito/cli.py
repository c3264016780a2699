"""The command line: the SDK's own, ended in a way that a person can read."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from tap_cognito import logs
from tap_cognito.errors import StreamsFailedError, TapCognitoError, bug

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

_LOG_CONFIG = "SINGER_SDK_LOG_CONFIG"

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

    Every failure is one line on stderr and an exit status that isn't 0; a traceback, without
    values, is shown at log level DEBUG only.
    """
    status = 1
    try:
        logs.install()
        for number in _SIGNALS:
            # `nohup` ignores SIGHUP for its command; a shell ignores SIGINT for one in background.
            if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _terminate)
        status = _run()
        _flush()
        _ignore_signals()  # none may raise once the exit has begun
    except Terminated as end:
        name = signal.Signals(end.number).name
        status = _fail(f"stopped by {name}: the run isn't complete", end, 128 + end.number)
        _flush()
    finally:
        # Don't join readers blocked on I/O; they hold no data.
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
        return _fail(str(bug(error)), error)


def _command() -> int:
    # Imported late: a signal during the second that it takes is handled too.
    import click  # noqa: PLC0415
    from singer_sdk.exceptions import SingerSDKError  # noqa: PLC0415

    import tap_cognito.singer.about  # noqa: F401, PLC0415 - takes the place of the SDK's
    from tap_cognito.singer.writer import buffer_stdout  # noqa: PLC0415
    from tap_cognito.tap import TapCognito  # noqa: PLC0415

    try:
        _check_log_level()
        buffer_stdout()
        try:
            command = TapCognito.cli  # it reads the logging config
        except Exception as error:  # noqa: BLE001 - of YAML, of files, of what the config names
            raise _log_config_error(error, lambda: TapCognito.cli) from None
        logs.quiet_libraries()
        status = 0
        try:
            # Not click's `main`, which takes a closed pipe for a reason to end without a word, nor
            # the SDK's `invoke`, which sets an excepthook of its own.
            with command.make_context(TapCognito.name, sys.argv[1:]) as context:
                click.Command.invoke(command, context)
        except click.exceptions.Exit as end:
            status = end.exit_code
        except SystemExit as end:
            status = int(end.code or 0)
        sys.stdout.flush()
    except click.ClickException as error:
        return _fail(f"{_explain_usage(error)}: see `tap-cognito --help`", error, error.exit_code)
    except StreamsFailedError as error:
        return [_fail(str(failure), failure) for failure in error.failures][-1]
    except TapCognitoError as error:
        return _fail(str(error), error)
    except SingerSDKError as error:  # its text may quote the config
        return _fail(
            f"the SDK rejected the config or catalog ({type(error).__name__}): check "
            "`stream_maps` first",
            error,
        )
    except BrokenPipeError as error:
        return _fail("the target has closed its input: the run isn't complete", error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _fail(f"{reason}: the run isn't complete", error)
    return status


def _check_log_level() -> None:
    for name in ("TAP_COGNITO_LOGLEVEL", "LOGLEVEL"):  # the first that isn't empty counts
        if level := os.environ.get(name):
            if not isinstance(logging.getLevelName(level.upper()), int):
                raise TapCognitoError(
                    f"{name} isn't a log level: set it to DEBUG, INFO, WARNING or ERROR"
                )
            return


def _log_config_error(error: Exception, log_to_console: Callable[[], object]) -> TapCognitoError:
    """Explain what is wrong with a logging config, and undo what was done of it."""
    if os.environ.pop(_LOG_CONFIG, None) is None:
        return bug(error)
    logging.root.handlers.clear()
    logger.disabled = False
    log_to_console()
    return TapCognitoError(
        f"{_LOG_CONFIG} must name a file with a Python logging config, as plain YAML: that file "
        f"can't be read or isn't one ({type(error).__name__})"
    )


def _explain_usage(error: Any) -> str:
    """Explain what is wrong with the arguments, without unknown ones: they may be secret."""
    name = getattr(error, "option_name", None) or "an option"
    name = name if re.fullmatch(r"--[a-z-]{1,20}", name) else "an option"
    kind = type(error).__name__
    if kind == "NoSuchOption":
        return f"{name} doesn't exist"
    if kind == "BadOptionUsage":
        return f"{name} has no value, or an invalid one"
    if parameter := getattr(error, "param", None):
        cause = error.__context__
        reason = cause.strerror if isinstance(cause, OSError) else "invalid value"
        return f"{parameter.opts[0]}: {reason}"
    return "unexpected arguments"


def _fail(message: str, error: BaseException, status: int = 1) -> int:
    cause = error.__context__
    while cause:  # a signal that arrives while a lock is half released leads to another error
        if isinstance(cause, Terminated):
            raise cause from None
        cause = cause.__context__
    logger.error("%s", message)
    # The frames only: the texts of a chain of exceptions may quote a request and its token.
    logger.debug("%s", type(error).__name__, exc_info=error)
    return status


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _terminate(number: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    last_resort = threading.Timer(_GRACE, os._exit, [128 + number])
    last_resort.daemon = True
    with contextlib.suppress(RuntimeError):  # there may be no thread left
        last_resort.start()
    raise Terminated(number)
