"""Bounds what an expression of `stream_maps` may make, where the SDK's evaluator doesn't.

Without them `'%9999999999d' % 1` takes ten gigabytes.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import CustomStreamMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.mapper import PluginMapper

_PADDING = {"center", "expandtabs", "ljust", "rjust", "to_bytes", "zfill"}
"""Methods that make a text or bytes as long as their first argument says."""
_LONGEST_TEXT = 100_000
"""Characters; what the SDK's evaluator allows elsewhere."""


class TextTooLongError(ValueError):
    """An expression asks for a text that is too long."""


def limit_expressions(mapper: PluginMapper) -> None:
    """Let no expression of a mapper make a text longer than the evaluator's limit by a width.

    Args:
        mapper: The mapper, with its streams.
    """
    for stream_maps in mapper.stream_maps.values():
        for stream_map in stream_maps:
            if isinstance(stream_map, CustomStreamMap):
                _limit(stream_map.expr_evaluator)


def _limit(evaluator: Any) -> None:
    call: Callable[[ast.Call], Any] = evaluator.nodes[ast.Call]
    formatted: Callable[[ast.FormattedValue], Any] = evaluator.nodes[ast.FormattedValue]

    def limited_call(node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _PADDING:
            for argument in node.args:
                _check(str(evaluator._eval(argument)))  # noqa: SLF001 - it has no other way
        return call(node)

    def limited_format(node: ast.FormattedValue) -> Any:
        if node.format_spec:
            _check(str(evaluator._eval(node.format_spec)))  # noqa: SLF001
        return formatted(node)

    evaluator.nodes = {
        **evaluator.nodes,
        ast.Call: limited_call,
        ast.FormattedValue: limited_format,
    }
    evaluator.operators = {**evaluator.operators, ast.Mod: _modulo}


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, (str, bytes)):
        _check(str(left))
        if re.search(r"%[^%a-zA-Z]*\*", str(left)):  # a width among the values
            _check(str(right))
    return left % right


def _check(text: str) -> None:
    if any(int(digits[:10]) > _LONGEST_TEXT for digits in re.findall(r"\d+", text)):
        raise TextTooLongError
