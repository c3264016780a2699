"""Tables as psql prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def as_text(header: Sequence[str], rows: Iterable[Sequence[str | None]], width: int) -> str:
    """Lay out a table, with the last column cut to the width.

    Args:
        header: The names of the columns.
        rows: Their values; None is empty.
        width: Columns of text.
    """
    table = Table(box=box.ASCII, show_edge=False)
    for name in header:
        table.add_column(name, no_wrap=name != header[-1])
    for row in rows:
        table.add_row(*(Text(value or "", no_wrap=True, overflow="ellipsis") for value in row))
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
