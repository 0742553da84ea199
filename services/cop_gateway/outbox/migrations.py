"""The schema of the SQLite store, as the steps that led to it. Never change a step: add one."""

from __future__ import annotations

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE frames (
        camera_id TEXT NOT NULL,
        frame_id TEXT NOT NULL,
        captured_at INTEGER NOT NULL,  -- microseconds since the epoch, as all times here
        committed_at INTEGER NOT NULL,
        receipt BLOB NOT NULL,         -- the answer, as JSON
        PRIMARY KEY (camera_id, frame_id)
    ) WITHOUT ROWID;

    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order of delivery, never used twice
        kind TEXT NOT NULL,
        uid TEXT NOT NULL,
        cot_type TEXT NOT NULL,
        class_name TEXT NOT NULL,
        confidence REAL NOT NULL,
        camera_id TEXT NOT NULL,
        frame_id TEXT NOT NULL,
        position INTEGER NOT NULL,     -- which detection of its frame
        captured_at INTEGER NOT NULL,
        committed_at INTEGER NOT NULL,
        stale_at INTEGER NOT NULL,
        latitude REAL NOT NULL,
        longitude REAL NOT NULL,
        hae REAL NOT NULL,
        ce90_m REAL NOT NULL,
        le90_m REAL NOT NULL,
        course REAL,
        speed_mps REAL,
        xml TEXT NOT NULL
    );
    CREATE INDEX events_by_uid ON events (uid, sequence);

    CREATE TABLE unplaced (
        camera_id TEXT NOT NULL,
        frame_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        committed_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        detection BLOB NOT NULL,       -- as JSON
        PRIMARY KEY (camera_id, frame_id, position)
    ) WITHOUT ROWID;

    CREATE TABLE sinks (
        name TEXT PRIMARY KEY,
        cursor INTEGER NOT NULL        -- everything up to here has been acknowledged
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE sinks ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sinks ADD COLUMN ponged INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE deliveries (
        sink TEXT NOT NULL,
        last INTEGER NOT NULL,         -- the batch's sequences: first..last
        first INTEGER NOT NULL,
        sent_at INTEGER NOT NULL,
        settled_at INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL,
        skipped TEXT,                  -- JSON: reason -> sequences; NULL for none
        PRIMARY KEY (sink, last)
    ) WITHOUT ROWID;

    CREATE TABLE dead_letters (
        sink TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        reason TEXT NOT NULL,
        buried_at INTEGER NOT NULL,
        retrying INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (sink, sequence)
    ) WITHOUT ROWID;
    """,
)
