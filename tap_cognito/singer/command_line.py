"""The SDK's command line, with files that are read once and when all that they need is there."""

from __future__ import annotations

from abc import abstractmethod
from typing import IO, Any

import click
from singer_sdk import Tap

from tap_cognito.singer import files

_TEST = "tap_cognito.test"
"""The key of click's context under which `--test` waits until all files are read."""


class CommandLineTap(Tap):
    """A tap with the SDK's options."""

    @abstractmethod
    def load_files(self, state: IO[str] | None, catalog: IO[str] | None) -> None:
        """Apply a state and a catalog."""

    @abstractmethod
    def check_all(self) -> None:
        """Make the first request of each selected stream."""

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the files of `--config`, each once: it may be a pipe.

        Raises:
            TapCognitoError: If one of them isn't a JSON object.
        """
        read = super().cb_config(ctx, param, ())
        for path in value:
            if path == "ENV":
                read.parse_env = True
            else:
                read.config.update(files.load_config(path))
        return read

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with `--test` described as it is here."""
        command = super().get_singer_command()
        for option in command.params:
            if isinstance(option, click.Option) and option.name == "test":
                option.help = (
                    "Make the first request of each selected stream and print the permissions "
                    "that it used; no record is sent. --test=schema prints the schemas, without a "
                    "request."
                )
        return command

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Take note of `--test`; the SDK would run it before a catalog is read."""
        if value == "all":
            ctx.meta[_TEST] = True
        else:
            super().cb_test(ctx, param, value)

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap for the command line; the arguments are the SDK's.

        Raises:
            TapCognitoError: If the run can't be made, or some stream couldn't be read.
        """
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        tap = cls(config=config.config, parse_env_config=config.parse_env, setup_mapper=False)
        tap.load_files(state, catalog)
        tap.setup_mapper()
        if click.get_current_context().meta.get(_TEST):
            tap.check_all()
        else:
            tap.sync_all()
