"""Text from outside on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Replace what could steer a terminal or cannot be encoded; offsets stay as they are.

    >>> printable(chr(27) + "[2Jgout")
    '�[2Jgout'
    """
    return "".join(_printable(character) for character in text)


def on_one_line(text: str) -> str:
    r"""Return text that may neither steer the terminal nor look like another line, column or row.

    >>> on_one_line("ward\t7\n")
    'ward 7'
    """
    return printable(" ".join(text.split()))


def _printable(character: str) -> str:
    if character == "\r":
        return " "
    code = ord(character)
    steers = (code < 0x20 and character not in "\n\t") or 0x7F <= code < 0xA0
    return "\ufffd" if steers or 0xD800 <= code < 0xE000 else character
