-- A store of schema sqlite-4, with two frames, three events, and a sink that has two of them.
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

CREATE INDEX retractions ON events (uid, sequence) WHERE kind = 'retraction';
CREATE INDEX dead_letters_by_time ON dead_letters (buried_at);
CREATE INDEX deliveries_by_last ON deliveries (last);

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

INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt, received_at, trace_id, first_sequence, last_sequence) VALUES ('drone-1', 'f-1', 1795514400000000, 1795514400500000, CAST('{"frame_id":"f-1","camera_id":"drone-1","results":[]}' AS BLOB), 1795514400400000, NULL, 1, 2);
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (1, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-1', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="1"/>');
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (2, 'detection', 'track-1', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-1', 1, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="2"/>');
INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt, received_at, trace_id, first_sequence, last_sequence) VALUES ('drone-1', 'f-2', 1795514400000000, 1795514400500000, CAST('{"frame_id":"f-2","camera_id":"drone-1","results":[]}' AS BLOB), 1795514400400000, NULL, 3, 3);
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (3, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-2', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="3"/>');
INSERT INTO unplaced (camera_id, frame_id, position, committed_at, reason, detection) VALUES ('drone-1', 'f-2', 1, 1795514400500000, 'grazing', CAST('{"frame_id":"x","camera_id":"drone-1","results":[]}' AS BLOB));
INSERT INTO sinks (name, cursor) VALUES ('tak', 2);
UPDATE outbox SET head = 3;
INSERT INTO deliveries (sink, last, first, sent_at, settled_at, acknowledged, skipped) VALUES ('tak', 2, 1, 1795514401000000, 1795514401100000, 1, NULL);
INSERT INTO dead_letters (sink, sequence, reason, buried_at) VALUES ('tak', 1, 'too long', 1795514401100000);
PRAGMA user_version = 4;

-- What code of that schema goes on writing beside a newer one:
INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt, received_at, trace_id, first_sequence, last_sequence) VALUES ('drone-1', 'f-3', 1795514400000000, 1795514400500000, CAST('{"frame_id":"f-3","camera_id":"drone-1","results":[]}' AS BLOB), 1795514400400000, NULL, 4, 4);
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (4, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-3', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="4"/>');
UPDATE outbox SET head = 4;
