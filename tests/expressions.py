"""The expressions of GitHub Actions, the part of them that the workflows use. What is not known here is an error.

Source: "Evaluate expressions in workflows and actions", docs.github.com.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<text>'(?:[^']|'')*')|(?P<op>&&|\|\||==|!=|!|\(|\)|,)"""
    r"""|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*))"""
)
_LITERALS = {"true": True, "false": False, "null": None}
OPEN = frozenset({"secrets", "vars", "inputs", "env", "matrix"})
"""Contexts in which a name that is not set is empty; elsewhere it is a misspelling."""

Function = Callable[..., Any]


class ExpressionError(Exception):
    """An expression that this subset does not know, or a name that does not exist."""


def evaluate(expression: str, contexts: Mapping[str, Any], functions: Mapping[str, Function]) -> Any:
    """Return the value of an expression, without its ``${{ }}``."""
    parser = _Parser(_tokens(expression), contexts, functions)
    value = parser.either()
    if parser.rest:
        raise ExpressionError(f"not understood: {expression!r} from {parser.rest[0][1]!r}")
    return value


def substitute(text: Any, contexts: Mapping[str, Any], functions: Mapping[str, Function]) -> str:
    """Replace every ``${{ … }}`` in a text by its value."""
    return re.sub(
        r"\$\{\{(.*?)\}\}", lambda found: shown(evaluate(found[1], contexts, functions)), shown(text), flags=re.DOTALL
    )


def shown(value: Any) -> str:
    """Return a value as GitHub writes it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ExpressionError(f"an object has no text: {value!r}")


def truthy(value: Any) -> bool:
    """Return whether a condition holds: all but false, 0, the empty text and null does."""
    return value not in (None, False, 0, "")


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, place = [], 0
    while expression[place:].strip():
        match = _TOKEN.match(expression, place)
        if not match:
            raise ExpressionError(f"not understood: {expression!r} at {expression[place:]!r}")
        assert match.lastgroup
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


class _Parser:
    """Recursive descent: || below && below comparison below ! below a value."""

    def __init__(
        self, tokens: list[tuple[str, str]], contexts: Mapping[str, Any], functions: Mapping[str, Function]
    ) -> None:
        self.rest, self.contexts, self.functions = tokens, contexts, functions

    def either(self) -> Any:
        value = self.both()
        while self._takes("||"):
            other = self.both()
            value = value if truthy(value) else other
        return value

    def both(self) -> Any:
        value = self.comparison()
        while self._takes("&&"):
            other = self.comparison()
            value = other if truthy(value) else value
        return value

    def comparison(self) -> Any:
        value = self.negation()
        for sign in ("==", "!="):
            if self._takes(sign):
                return _equal(value, self.negation()) == (sign == "==")
        return value

    def negation(self) -> Any:
        return not truthy(self.negation()) if self._takes("!") else self.value()

    def value(self) -> Any:
        if not self.rest:
            raise ExpressionError("the expression ends too early")
        kind, text = self.rest.pop(0)
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text)
        if text == "(":
            value = self.either()
            self._must_take(")")
            return value
        if kind == "name" and text in _LITERALS:
            return _LITERALS[text]
        if kind == "name":
            return self._call(text) if self._takes("(") else self._look_up(text)
        raise ExpressionError(f"{text!r} is not a value")

    def _call(self, name: str) -> Any:
        arguments = []
        while not self._takes(")"):
            arguments.append(self.either())
            if not self._takes(",") and (not self.rest or self.rest[0][1] != ")"):
                raise ExpressionError(f"{name}(: a comma or a bracket is missing")
        if name not in self.functions:
            raise ExpressionError(f"the function {name} is not known here")
        return self.functions[name](*arguments)

    def _look_up(self, path: str) -> Any:
        context, *names = path.split(".")
        if context not in self.contexts or not names:
            raise ExpressionError(f"{path} is not known here")
        value = self.contexts[context]
        for depth, name in enumerate(names):
            if value is None:
                return None  # below something that the event does not have
            if name not in value and context not in OPEN and not (names[0] == "event" and depth):
                raise ExpressionError(f"{path}: there is no {name}")
            value = value.get(name)
        return value

    def _takes(self, text: str) -> bool:
        if self.rest and self.rest[0] == ("op", text):
            self.rest.pop(0)
            return True
        return False

    def _must_take(self, text: str) -> None:
        if not self._takes(text):
            raise ExpressionError(f"{text} is missing")


def _equal(one: Any, other: Any) -> bool:
    """Compare as GitHub does: texts without case, null as the empty text."""
    one, other = ("" if value is None else value for value in (one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    if type(one) is not type(other):
        raise ExpressionError(f"{one!r} and {other!r} are compared, of different types")
    return bool(one == other)
