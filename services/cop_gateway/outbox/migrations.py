"""The schema, as the steps that led to it. Never change a step: add one.

Steps only add (expand): code of the release before must go on working beside the new one. What is
no longer used is dropped one release later (contract).
"""

from __future__ import annotations

SQLITE_STEPS: tuple[str, ...] = (
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
    -- Where the outbox ends, even when the events there are deleted.
    CREATE TABLE outbox (head INTEGER NOT NULL);
    INSERT INTO outbox SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events';

    ALTER TABLE frames ADD COLUMN received_at INTEGER;
    ALTER TABLE frames ADD COLUMN trace_id TEXT;
    ALTER TABLE frames ADD COLUMN first_sequence INTEGER;
    ALTER TABLE frames ADD COLUMN last_sequence INTEGER;
    UPDATE frames SET
        first_sequence = (SELECT min(sequence) FROM events AS e
            WHERE e.camera_id = frames.camera_id AND e.frame_id = frames.frame_id),
        last_sequence = (SELECT max(sequence) FROM events AS e
            WHERE e.camera_id = frames.camera_id AND e.frame_id = frames.frame_id);

    CREATE INDEX events_by_class ON events (class_name, captured_at);
    CREATE INDEX events_by_time ON events (captured_at);
    CREATE INDEX frames_by_time ON frames (committed_at);
    CREATE INDEX unplaced_by_time ON unplaced (committed_at);

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
    """
    CREATE INDEX retractions ON events (uid, sequence) WHERE kind = 'retraction';
    CREATE INDEX dead_letters_by_time ON dead_letters (buried_at);
    CREATE INDEX deliveries_by_last ON deliveries (last);
    """,
    """
    CREATE TABLE backups (
        id TEXT PRIMARY KEY,               -- names the archive, too
        kind TEXT NOT NULL,                -- of the archive: sqlite or postgres
        location TEXT NOT NULL,            -- where it lies: a folder or an address, without secrets
        started_at INTEGER NOT NULL,
        finished_at INTEGER,               -- NULL: under way, or whoever made it died
        error TEXT,                        -- why it failed; NULL and finished: it is there
        size_bytes INTEGER,
        sha256 TEXT,
        schema_version INTEGER,            -- of what is in it
        head INTEGER,                      -- the newest event in it
        verified_at INTEGER,               -- when it was last restored and compared
        restore_seconds REAL,              -- how long that took
        deleted_at INTEGER                 -- when it was pruned
    ) WITHOUT ROWID;
    CREATE INDEX backups_by_end ON backups (finished_at);
    """,
    """
    -- Where the trace of a frame goes on when its events are delivered; NULL where nobody keeps it.
    ALTER TABLE frames ADD COLUMN span_id TEXT;
    """,
)

POSTGRES_STEPS: tuple[str, ...] = (
    """
    CREATE TABLE outbox (head BIGINT NOT NULL);
    INSERT INTO outbox VALUES (0);

    CREATE TABLE frames (
        camera_id TEXT NOT NULL,
        frame_id TEXT NOT NULL,
        captured_at BIGINT NOT NULL,   -- microseconds since the epoch, as all times here
        committed_at BIGINT NOT NULL,
        receipt BYTEA NOT NULL,        -- the answer, as JSON
        received_at BIGINT,
        trace_id TEXT,
        first_sequence BIGINT,
        last_sequence BIGINT,
        PRIMARY KEY (camera_id, frame_id)
    );
    CREATE INDEX frames_by_time ON frames (committed_at);

    CREATE TABLE events (
        sequence BIGINT PRIMARY KEY,   -- the order of delivery, never used twice
        kind TEXT NOT NULL,
        uid TEXT NOT NULL,
        cot_type TEXT NOT NULL,
        class_name TEXT NOT NULL,
        confidence DOUBLE PRECISION NOT NULL,
        camera_id TEXT NOT NULL,
        frame_id TEXT NOT NULL,
        position INTEGER NOT NULL,     -- which detection of its frame
        captured_at BIGINT NOT NULL,
        committed_at BIGINT NOT NULL,
        stale_at BIGINT NOT NULL,
        latitude DOUBLE PRECISION NOT NULL,
        longitude DOUBLE PRECISION NOT NULL,
        hae DOUBLE PRECISION NOT NULL,
        ce90_m DOUBLE PRECISION NOT NULL,
        le90_m DOUBLE PRECISION NOT NULL,
        course DOUBLE PRECISION,
        speed_mps DOUBLE PRECISION,
        xml TEXT NOT NULL
    );
    CREATE INDEX events_by_uid ON events (uid, sequence);
    CREATE INDEX events_by_class ON events (class_name, captured_at);
    CREATE INDEX events_by_time ON events (captured_at);

    CREATE TABLE unplaced (
        camera_id TEXT NOT NULL,
        frame_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        committed_at BIGINT NOT NULL,
        reason TEXT NOT NULL,
        detection BYTEA NOT NULL,      -- as JSON
        PRIMARY KEY (camera_id, frame_id, position)
    );
    CREATE INDEX unplaced_by_time ON unplaced (committed_at);

    CREATE TABLE sinks (
        name TEXT PRIMARY KEY,
        cursor BIGINT NOT NULL,        -- everything up to here has been settled
        paused INTEGER NOT NULL DEFAULT 0,
        ponged INTEGER NOT NULL DEFAULT 0,
        epoch BIGINT NOT NULL DEFAULT 0 -- raised by each process that takes hold of it
    );

    CREATE TABLE deliveries (
        sink TEXT NOT NULL,
        last BIGINT NOT NULL,          -- the batch's sequences: first..last
        first BIGINT NOT NULL,
        sent_at BIGINT NOT NULL,
        settled_at BIGINT NOT NULL,
        acknowledged INTEGER NOT NULL,
        skipped TEXT,                  -- JSON: reason -> sequences; NULL for none
        PRIMARY KEY (sink, last)
    );

    CREATE TABLE dead_letters (
        sink TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        reason TEXT NOT NULL,
        buried_at BIGINT NOT NULL,
        retrying INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (sink, sequence)
    );
    """,
    """
    CREATE INDEX retractions ON events (uid, sequence) WHERE kind = 'retraction';
    CREATE INDEX dead_letters_by_time ON dead_letters (buried_at);
    CREATE INDEX deliveries_by_last ON deliveries (last);
    """,
    """
    CREATE TABLE backups (
        id TEXT PRIMARY KEY,               -- names the archive, too
        kind TEXT NOT NULL,                -- of the archive: sqlite or postgres
        location TEXT NOT NULL,            -- where it lies: a folder or an address, without secrets
        started_at BIGINT NOT NULL,
        finished_at BIGINT,                -- NULL: under way, or whoever made it died
        error TEXT,                        -- why it failed; NULL and finished: it is there
        size_bytes BIGINT,
        sha256 TEXT,
        schema_version INTEGER,            -- of what is in it
        head BIGINT,                       -- the newest event in it
        verified_at BIGINT,                -- when it was last restored and compared
        restore_seconds DOUBLE PRECISION,  -- how long that took
        deleted_at BIGINT                  -- when it was pruned
    );
    CREATE INDEX backups_by_end ON backups (finished_at);
    """,
    """
    -- Where the trace of a frame goes on when its events are delivered; NULL where nobody keeps it.
    ALTER TABLE frames ADD COLUMN span_id TEXT;
    """,
    """
    CREATE TABLE colours (
        name TEXT PRIMARY KEY,             -- blue or green
        stands_down INTEGER NOT NULL,      -- 1: it takes in, and leaves delivery to the other
        code INTEGER NOT NULL,             -- the schema of what was last started in it; 0: none
        changed_at BIGINT                  -- when a switch last decided; NULL: none has yet
    );
    """,
)

POSTGRES_OLDEST = 1
"""The oldest schema whose code goes on working on the newest one: written beside the version, so
that both colours of a release run on one schema, and older code refuses it."""
