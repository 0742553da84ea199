-- A store of schema postgres-4, with two frames, three events, and a sink that has two of them.
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

CREATE INDEX retractions ON events (uid, sequence) WHERE kind = 'retraction';
CREATE INDEX dead_letters_by_time ON dead_letters (buried_at);
CREATE INDEX deliveries_by_last ON deliveries (last);

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

-- Where the trace of a frame goes on when its events are delivered; NULL where nobody keeps it.
ALTER TABLE frames ADD COLUMN span_id TEXT;

INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt, received_at, trace_id, first_sequence, last_sequence) VALUES ('drone-1', 'f-1', 1795514400000000, 1795514400500000, '{"frame_id":"f-1","camera_id":"drone-1","results":[]}'::bytea, 1795514400400000, NULL, 1, 2);
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (1, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-1', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="1"/>');
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (2, 'detection', 'track-1', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-1', 1, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="2"/>');
INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt, received_at, trace_id, first_sequence, last_sequence) VALUES ('drone-1', 'f-2', 1795514400000000, 1795514400500000, '{"frame_id":"f-2","camera_id":"drone-1","results":[]}'::bytea, 1795514400400000, NULL, 3, 3);
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (3, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-2', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="3"/>');
INSERT INTO unplaced (camera_id, frame_id, position, committed_at, reason, detection) VALUES ('drone-1', 'f-2', 1, 1795514400500000, 'grazing', '{"frame_id":"x","camera_id":"drone-1","results":[]}'::bytea);
INSERT INTO sinks (name, cursor) VALUES ('tak', 2);
UPDATE outbox SET head = 3;
INSERT INTO deliveries (sink, last, first, sent_at, settled_at, acknowledged, skipped) VALUES ('tak', 2, 1, 1795514401000000, 1795514401100000, 1, NULL);
INSERT INTO dead_letters (sink, sequence, reason, buried_at) VALUES ('tak', 1, 'too long', 1795514401100000);
CREATE TABLE schema_version (version INTEGER NOT NULL, oldest_code INTEGER NOT NULL);
INSERT INTO schema_version VALUES (4, 1);

-- What code of that schema goes on writing beside a newer one:
INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt, received_at, trace_id, first_sequence, last_sequence) VALUES ('drone-1', 'f-3', 1795514400000000, 1795514400500000, '{"frame_id":"f-3","camera_id":"drone-1","results":[]}'::bytea, 1795514400400000, NULL, 4, 4);
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (4, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-3', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="4"/>');
UPDATE outbox SET head = 4;
