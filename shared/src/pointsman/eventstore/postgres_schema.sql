-- The table of the `eventsourcing` library (9.5, PostgreSQL recorder) with its column names and
-- types, then our own columns, each with a default so that the library's own INSERT works, which
-- also needs the composite type.
--
-- A sequence hands numbers out before the commit and does not take them back; here the next
-- position is the last one plus one, read under the lock of the append, so that positions have no
-- gaps and follow the order of the commits.
CREATE TABLE stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigint NOT NULL,
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    recorded_at bigint NOT NULL,
    tenant text NOT NULL DEFAULT '',
    leader_epoch bigint NOT NULL DEFAULT 0,
    chain bytea NOT NULL DEFAULT '',
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

CREATE UNIQUE INDEX stored_events_notification_id_idx ON stored_events (notification_id);
CREATE UNIQUE INDEX stored_events_event_id_idx ON stored_events (event_id);

-- VOLATILE: called for each row of an INSERT, they see the rows before it.
CREATE FUNCTION next_position() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT coalesce(max(notification_id), 0) + 1 FROM stored_events';
CREATE FUNCTION next_recorded_at() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        1 + coalesce((SELECT recorded_at FROM stored_events
            ORDER BY notification_id DESC LIMIT 1), 0))';

ALTER TABLE stored_events
    ALTER COLUMN notification_id SET DEFAULT next_position(),
    ALTER COLUMN recorded_at SET DEFAULT next_recorded_at();

CREATE TYPE stored_event_uuid AS (
    originator_id uuid,
    originator_version bigint,
    topic text,
    state bytea
);

-- `id` follows time, so pruning reads the oldest rows only.
CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    tenant text NOT NULL,
    message_id text NOT NULL,
    request_hash bytea NOT NULL,
    position bigint NOT NULL,
    reply bytea NOT NULL,
    recorded_at bigint NOT NULL,
    UNIQUE (consumer, tenant, message_id)
);

CREATE TABLE leader (
    pool text PRIMARY KEY,
    epoch bigint NOT NULL,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE feed_floor (
    stream text PRIMARY KEY,
    incarnation text NOT NULL,
    sequence bigint NOT NULL,
    position bigint NOT NULL
);

-- `incarnation`: which life of the log this is. `schema`: the version of these tables.
CREATE TABLE log_meta (
    key text PRIMARY KEY,
    value text NOT NULL
);

INSERT INTO log_meta VALUES ('incarnation', replace(gen_random_uuid()::text, '-', ''));
