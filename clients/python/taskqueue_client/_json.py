"""JSON of a server: whatever one producer enqueued must not end the worker, nor fail other tasks of the same answer."""
from __future__ import annotations

import json
import re
from decimal import Decimal
from json.decoder import scanstring
from typing import Any, List, Tuple, Union

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')


def loads(text: bytes) -> Any:
    """
    The value. Nesting may be deeper than Python's recursion, and an integer longer than Python's limit is a Decimal.

    :raises ValueError: it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _decode(text.decode())


def depth(text: bytes) -> int:
    """How deep lists and objects of a JSON text are nested."""
    most = now = 0
    for mark in _QUOTED.sub(b"", text):
        if mark in b"[{":
            now += 1
            most = max(most, now)
        elif mark in b"]}":
            now -= 1
    return most


def _decode(text: str) -> Any:
    """Without recursion; slower than the one that it stands in for."""
    holders: List[Any] = []  # lists and objects that are open
    names: List[str] = []  # for each, the name of the value that comes; unused for a list
    at = _skip(text, 0)
    while True:
        first = text[at:at + 1]
        if first in ("[", "{"):
            value: Any = [] if first == "[" else {}
            at = _skip(text, at + 1)
            if text[at:at + 1] != ("]" if first == "[" else "}"):
                holders.append(value)
                names.append("")
                if first == "{":
                    names[-1], at = _name(text, at)
                continue
            at += 1
        elif first == '"':
            value, at = scanstring(text, at + 1, True)
        else:
            value, at = _scalar(text, at)

        while True:  # a value has ended, and perhaps what holds it
            at = _skip(text, at)
            if not holders:
                if at != len(text):
                    raise ValueError(f"more than one value, at {at}")
                return value
            holder = holders[-1]
            is_list = isinstance(holder, list)
            if is_list:
                holder.append(value)
            else:
                holder[names[-1]] = value
            mark = text[at:at + 1]
            at = _skip(text, at + 1)
            if mark == ",":
                if not is_list:
                    names[-1], at = _name(text, at)
                break
            if mark != ("]" if is_list else "}"):
                raise ValueError(f"no end of a {'list' if is_list else 'object'}, at {at}")
            value = holders.pop()
            names.pop()


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def _name(text: str, at: int) -> Tuple[str, int]:
    if text[at:at + 1] != '"':
        raise ValueError(f"no name, at {at}")
    name, at = scanstring(text, at + 1, True)
    at = _skip(text, at)
    if text[at:at + 1] != ":":
        raise ValueError(f"no value, at {at}")
    return name, _skip(text, at + 1)


def _scalar(text: str, at: int) -> Tuple[Union[int, float, Decimal, bool, None], int]:
    word, value = _WORDS.get(text[at:at + 1], ("", None))
    if word and text.startswith(word, at):
        return value, at + len(word)
    number = _NUMBER.match(text, at)
    if number is None:
        raise ValueError(f"no value, at {at}")
    digits = number.group()
    if number.group(1) or number.group(2):
        return float(digits), number.end()
    try:
        return int(digits), number.end()
    except ValueError:  # more digits than Python converts
        return Decimal(digits), number.end()
