"""What can go wrong. Each says in one sentence what is so and what to do.

BackupError
├── DatabaseError   it does not answer, or is not one of Sightline's
├── ToolError       pg_dump or pg_restore is missing, too old, or failed
├── TargetError     the place for backups does not answer, or lets nobody in
├── DamageError     a backup is not what it was when it was made
└── RefusedError    it would destroy something, or be of no use
"""


class BackupError(Exception):
    """The base of all of them."""


class DatabaseError(BackupError):
    """The database does not answer, or is not one of Sightline's."""


class ToolError(BackupError):
    """A program of PostgreSQL is missing, too old, or failed."""


class TargetError(BackupError):
    """The place for backups does not answer, or lets nobody in."""


class DamageError(BackupError):
    """What was made is not whole, or is no longer what was made."""


class RefusedError(BackupError):
    """It would destroy something, or be of no use."""
