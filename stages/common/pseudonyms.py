"""Names that tell documents apart and say nothing of them to anyone without the key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

KEY = "[0-9a-f]{32}"
"""What a key looks like, as a regular expression: 128 bits in hexadecimal digits."""

_DIGITS = 16


def pseudonym(key: str, name: str) -> str:
    """Return the name that stands for `name` where the key is not.

    An unkeyed hash would not do: identifiers of seven digits, or notes from a template, are tried out
    one by one until a hash fits.

    Parameters
    ----------
    key : str
        As `KEY` says. Whoever has it can make the pseudonym of a name, and so recognise it.
    name : str

    Returns
    -------
    str
        16 hexadecimal digits of HMAC-SHA256 (RFC 2104): among a million documents, two have the same
        one with a chance of 3 in 100 million.
    """
    tag = hmac.new(bytes.fromhex(key), name.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return tag.hexdigest()[:_DIGITS]


def key_of_content(hashes: Mapping[str, str]) -> str:
    """Derive a key from files, for what was given none.

    It is as hard to guess as all the files together, not as one note among them.

    Parameters
    ----------
    hashes : mapping of str to str
        SHA-256 of each file by its name.
    """
    listed = "\n".join(f"{digest} {name}" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(listed.encode("utf-8", "surrogatepass")).hexdigest()[:32]
