-- The table of the `eventsourcing` library (9.5, SQLite recorder) with its column names and types,
-- then our own columns, each with a default so that an INSERT of the library's columns works.
-- `notification_id` is declared, because VACUUM may renumber the implicit rowid that the library
-- relies on, and AUTOINCREMENT never hands a position out twice.
CREATE TABLE stored_events (
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    notification_id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL UNIQUE DEFAULT (randomblob(16)),
    recorded_at INTEGER NOT NULL
        DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)),
    tenant TEXT NOT NULL DEFAULT '',
    leader_epoch INTEGER NOT NULL DEFAULT 0,
    UNIQUE (originator_id, originator_version)
);

-- `id` follows time, so pruning reads the oldest rows only.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY,
    consumer TEXT NOT NULL,
    tenant TEXT NOT NULL,
    message_id TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    position INTEGER NOT NULL,
    reply BLOB NOT NULL,
    recorded_at INTEGER NOT NULL,
    UNIQUE (consumer, tenant, message_id)
);

-- `expires_at` belongs to the layout; the file lock stands in for it while one process appends.
CREATE TABLE leader (
    pool TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    holder TEXT NOT NULL,
    expires_at INTEGER
);

CREATE TABLE feed_floor (
    stream TEXT PRIMARY KEY,
    incarnation TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL
);
