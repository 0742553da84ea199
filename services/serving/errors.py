"""What can go wrong in serving itself.

ServingError
 ├─ ConfigurationError    a setting that cannot be used (`configuration`)
 ├─ ListenError           a port that cannot be bound (`server`)
 └─ HttpProblem           an answer that is an error (`problems`)
"""

from __future__ import annotations


class ServingError(Exception):
    """Base of the errors of this package."""


class ConfigurationError(ServingError):
    """A setting that cannot be used; the sentence begins with the variable's or field's name."""


class ListenError(ServingError):
    """The address cannot be listened on."""
