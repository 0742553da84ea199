"""Backups of the gateway's database that can be trusted: made, proven, restored, kept, practised.

`making.create` and `making.restore`, `swapping.swap`, `verifying.verify`, `pruning.prune` and
`drill.drill` do it, and give typed results. Databases are `sqlite.SqliteDatabase` and
`postgres.PostgresDatabase`; places are `folder.FolderTarget` and `s3.S3Target`. What goes wrong is
a `BackupError`, in one sentence.
"""
