"""Who may do what, alike in both services: API keys, tokens (JWT), roles, rate limits. No HTTP."""

from access.allowance import Allowance
from access.errors import AccessError, KeysError, NotAllowedError, NotKnownError
from access.gate import ANONYMOUS, Gate, Principal
from access.keys import KeyRing, new_key
from access.roles import ROLES, Role, allows
from access.signing import SigningKeys
from access.tokens import Tokens

__all__ = [
    "ANONYMOUS",
    "ROLES",
    "AccessError",
    "Allowance",
    "Gate",
    "KeyRing",
    "KeysError",
    "NotAllowedError",
    "NotKnownError",
    "Principal",
    "Role",
    "SigningKeys",
    "Tokens",
    "allows",
    "new_key",
]
