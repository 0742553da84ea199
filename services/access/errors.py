"""Why somebody may not.

AccessError
 ├─ KeysError          a file of keys that cannot be used
 ├─ NotKnownError      nobody knows who asks: no key, a wrong one, a token that has ended
 └─ NotAllowedError    it is known who asks, and that they may not
"""

from __future__ import annotations


class AccessError(Exception):
    """Base of the errors of this package. No message ever holds a key, a token or a part of one."""


class KeysError(AccessError):
    """A file of keys that cannot be used; the sentence names the file and the entry."""


class NotKnownError(AccessError):
    """Nobody knows who asks."""


class NotAllowedError(AccessError):
    """This principal does not have the role."""
