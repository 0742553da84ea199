"""What can go wrong. Each says in one sentence what is so and what to do; none holds a secret.

SecretsError
├── FormatError        a file is not what it should be: the sentence names the field and the limit
├── RefusedError       it would not be safe, or would destroy something
├── SourceError        Vault or a TAK server did not give what was asked for
│   └── UnreachableError    … since it does not answer, or is sealed: a cache may stand in
└── ToolError          a program that is needed (git) is missing or failed
"""

from __future__ import annotations


class SecretsError(Exception):
    """The base of all of them."""


class FormatError(SecretsError):
    """A file is not what it should be."""


class RefusedError(SecretsError):
    """It would not be safe, or would destroy something."""


class SourceError(SecretsError):
    """Where secrets are asked for did not give what was asked for."""


class UnreachableError(SourceError):
    """It does not answer, or is sealed."""


class ToolError(SecretsError):
    """A program that is needed is missing or failed."""
