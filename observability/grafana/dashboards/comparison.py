"""An alert's expression taken apart: what it looks at, and the limit that it is held against."""

from __future__ import annotations

import ast
import re

from grafana.dashboards.panel import GREEN, RED, Limits, limits

_LIMIT = re.compile(
    r"^(?P<asked>.+?)\s*(?P<sign>>=?|<=?|==)\s*(?P<limit>[-+*/() .0-9e]*[0-9][-+*/() .0-9e]*)$",
    re.DOTALL,
)
_WORDS = re.compile(r"\"[^\"]*\"|\w+|[({\[\])}]")
_COMMENTS = re.compile(r"^\s*#.*\n?", re.MULTILINE)


def in_one_line(expression: str) -> str:
    """Without comments and line ends, to be read."""
    return " ".join(_COMMENTS.sub("", expression).split())


def split(expression: str) -> tuple[str, Limits]:
    """What an expression compares with its limit first of all, and that limit.

    The expression as a whole, and no limit, where it does not begin with a comparison.
    """
    whole = _COMMENTS.sub("", expression).strip()
    first = whole
    while (shorter := _bare(_first(first))) != first:
        first = shorter
    found = _LIMIT.match(first)
    limit = _computed(found["limit"]) if found else None
    if found is None or limit is None:
        return whole, ()
    return found["asked"], _steps(found["sign"], limit)


def _steps(sign: str, limit: float) -> Limits:
    if sign.startswith("<"):
        return limits(RED, (limit, GREEN))
    if sign == "==":
        return limits(GREEN, (limit, RED), (limit + 1, GREEN))
    # Grafana's steps begin at their value; nothing is not yet more than nothing.
    return limits(GREEN, (limit or 1e-9, RED))


def _first(expression: str) -> str:
    """Up to the first `and`, `or` or `unless` that stands in no brackets."""
    depth = 0
    for found in _WORDS.finditer(expression):
        word = found[0]
        if word in "({[":
            depth += 1
        elif word in ")}]":
            depth -= 1
        elif not depth and word in ("and", "or", "unless"):
            return expression[: found.start()].strip()
    return expression


def _bare(expression: str) -> str:
    """Without brackets around all of it."""
    if not (expression.startswith("(") and expression.endswith(")")):
        return expression
    depth = 0
    for place, each in enumerate(expression):
        depth += (each == "(") - (each == ")")
        if not depth:
            return expression[1:-1].strip() if place == len(expression) - 1 else expression
    return expression


def _computed(text: str) -> float | None:
    """What a sum of numbers comes to; nothing where it is none."""
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left) * _value(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _value(left) / _value(right)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left) + _value(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _value(left) - _value(right)
    raise ValueError(ast.dump(node))
