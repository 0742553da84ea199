-- A store of schema sqlite-1, with two frames, three events, and a sink that has two of them.
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

INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt) VALUES ('drone-1', 'f-1', 1795514400000000, 1795514400500000, CAST('{"frame_id":"f-1","camera_id":"drone-1","results":[]}' AS BLOB));
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (1, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-1', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="1"/>');
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (2, 'detection', 'track-1', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-1', 1, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="2"/>');
INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt) VALUES ('drone-1', 'f-2', 1795514400000000, 1795514400500000, CAST('{"frame_id":"f-2","camera_id":"drone-1","results":[]}' AS BLOB));
INSERT INTO events (sequence, kind, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps, xml) VALUES (3, 'detection', 'track-0', 'a-u-G-E-V-C', 'car', 0.9, 'drone-1', 'f-2', 0, 1795514400000000, 1795514400500000, 1795514460000000, 47.5, 8.5, 455.0, 6.25, 4.5, NULL, NULL, '<event n="3"/>');
INSERT INTO unplaced (camera_id, frame_id, position, committed_at, reason, detection) VALUES ('drone-1', 'f-2', 1, 1795514400500000, 'grazing', CAST('{"frame_id":"x","camera_id":"drone-1","results":[]}' AS BLOB));
INSERT INTO sinks (name, cursor) VALUES ('tak', 2);
PRAGMA user_version = 1;
