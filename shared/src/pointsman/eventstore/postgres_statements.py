"""SQL of the PostgreSQL log. A batch of appends is four statements, each one round trip."""

from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.postgres_connections import Row

# The library's own INSERT takes the table in EXCLUSIVE mode before it draws positions; ROW
# EXCLUSIVE keeps it out until our commit without keeping autovacuum out. Among ourselves the
# advisory lock makes the order. All of it comes before the statement that reads the end of the
# log, because a statement sees what was committed before it began.
BEGIN: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    " LOCK TABLE stored_events IN ROW EXCLUSIVE MODE;"
    " SELECT pg_advisory_xact_lock('stored_events'::regclass::oid::bigint)"
)

# A lead must not be renewed between the look at its end and the election.
LOCK_LEADERS: Final = "SELECT 1 FROM leader WHERE pool = ANY ($1::text[]) FOR UPDATE"

# $1: the end as it is remembered. While it is the same, $2 are the streams whose heads are not
# known; when others have written, those of $3 are asked for too.
STATE: Final = """
SELECT clock.now_us, last.notification_id, last.recorded_at, last.chain,
       heads.streams, heads.versions,
       known.consumers, known.tenants, known.messages, known.hashes, known.positions, known.replies,
       led.pools, led.epochs, led.holders, led.left_s
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us) AS clock
LEFT JOIN LATERAL (
    SELECT notification_id, recorded_at, chain FROM stored_events
    ORDER BY notification_id DESC LIMIT 1
) AS last ON true
CROSS JOIN LATERAL (
    SELECT array_agg(asked.stream) AS streams, array_agg(head.version) AS versions
    FROM unnest(
        CASE WHEN coalesce(last.notification_id, 0) = $1 THEN $2::uuid[]
        ELSE $2::uuid[] || $3::uuid[] END
    ) AS asked (stream)
    CROSS JOIN LATERAL (
        SELECT originator_version AS version FROM stored_events
        WHERE originator_id = asked.stream ORDER BY originator_version DESC LIMIT 1
    ) AS head
) AS heads
CROSS JOIN (
    SELECT array_agg(consumer) AS consumers, array_agg(tenant) AS tenants,
           array_agg(message_id) AS messages, array_agg(request_hash) AS hashes,
           array_agg(position) AS positions, array_agg(reply) AS replies
    FROM unnest($4::text[], $5::text[], $6::text[]) AS asked (consumer, tenant, message_id)
    JOIN inbox USING (consumer, tenant, message_id)
) AS known
CROSS JOIN (
    SELECT array_agg(pool) AS pools, array_agg(epoch) AS epochs, array_agg(holder) AS holders,
           array_agg(extract(epoch FROM expires_at - clock_timestamp())::float8) AS left_s
    FROM leader
) AS led
"""

WRITE: Final = """
WITH events AS (
    INSERT INTO stored_events (originator_id, originator_version, topic, state, notification_id,
        event_id, recorded_at, tenant, leader_epoch, chain)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bytea[], $5::bigint[],
        $6::uuid[], $7::bigint[], $8::text[], $9::bigint[], $10::bytea[])
)
INSERT INTO inbox (consumer, tenant, message_id, request_hash, position, reply, recorded_at)
SELECT * FROM unnest($11::text[], $12::text[], $13::text[], $14::bytea[], $15::bigint[],
    $16::bytea[], $17::bigint[])
"""

ELECT: Final = """
INSERT INTO leader (pool, epoch, holder, expires_at)
VALUES ($1, $2, $3, clock_timestamp() + $4::float8 * interval '1 second')
ON CONFLICT (pool) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder,
    expires_at = excluded.expires_at
"""

RENEW: Final = (
    "UPDATE leader SET expires_at = clock_timestamp() + $3::float8 * interval '1 second'"
    " WHERE pool = $1 AND epoch = $2"
)
RESIGN: Final = "UPDATE leader SET expires_at = clock_timestamp() WHERE pool = $1 AND epoch = $2"
LEADER: Final = (
    "SELECT epoch, holder, extract(epoch FROM expires_at - clock_timestamp())::float8 AS left_s"
    " FROM leader WHERE pool = $1"
)

_COLUMNS: Final = (
    "notification_id, event_id, originator_id, originator_version, topic,"
    " recorded_at, tenant, leader_epoch, state"
)
READ: Final = (
    f"SELECT {_COLUMNS} FROM stored_events WHERE notification_id > $1"  # noqa: S608 - constant names only
    " ORDER BY notification_id LIMIT $2"
)
READ_TOPICS: Final = (
    f"SELECT {_COLUMNS} FROM stored_events WHERE notification_id > $1"  # noqa: S608 - constant names only
    " AND topic = ANY ($3::text[]) ORDER BY notification_id LIMIT $2"
)
READ_STREAM: Final = (
    f"SELECT {_COLUMNS} FROM stored_events WHERE originator_id = $1"  # noqa: S608 - constant names only
    " AND originator_version > $2 ORDER BY originator_version"
)
READ_IDS: Final = (
    f"SELECT {_COLUMNS} FROM stored_events WHERE event_id = ANY ($1::uuid[])"  # noqa: S608 - constant names only
    " ORDER BY notification_id"
)
HEAD: Final = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
META: Final = "SELECT key, value FROM log_meta"

FLOOR: Final = "SELECT incarnation, sequence, position FROM feed_floor WHERE stream = $1"
SET_FLOOR: Final = (
    "INSERT INTO feed_floor (stream, incarnation, sequence, position) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (stream) DO UPDATE SET incarnation = excluded.incarnation,"
    " sequence = excluded.sequence, position = excluded.position"
)
PRUNE: Final = """
WITH oldest AS (SELECT id, recorded_at FROM inbox ORDER BY id LIMIT $2),
deleted AS (
    DELETE FROM inbox USING oldest WHERE inbox.id = oldest.id AND oldest.recorded_at < $1
    RETURNING 1
)
SELECT count(*) FROM deleted
"""

# A session whose line is cut would keep the append lock until the server notices.
END_SESSION: Final = (
    "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
    " WHERE application_name = $1 AND pid <> pg_backend_pid()"
)

NOW_US: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


def recorded(row: Row) -> Recorded:
    """A row of the columns above."""
    return Recorded(
        position=row[0],
        id=UUID(bytes=row[1].bytes),
        stream=UUID(bytes=row[2].bytes),
        version=row[3],
        type=row[4],
        time_us=row[5],
        tenant=row[6],
        epoch=row[7],
        data=msgspec.Raw(row[8]),
    )
