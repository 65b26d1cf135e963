"""The table of tasks: its columns and its statements."""

from typing import Final

# How much later than its arrival the tasks that a task of `found` depends on let it wait.
_KEPT_S: Final = """coalesce(max(0, (
        SELECT max(other.ended_at) FROM tasks AS other
        WHERE other.task IN (SELECT name.value FROM json_each(found.awaits) AS name)
    ) - found.arrival), 0)"""

# One row of `found` as JSON with the field names of `TaskRow`; what is not known yet is left null.
ROW: Final = f"""json_object(
    'task', task, 'tenant', tenant, 'family', family, 'priority_class', priority_class,
    'state', state, 'accepted_at', accepted_at, 'position', position, 'deadline', deadline,
    'attempts', attempts, 'device', device, 'variant', variant,
    'queue_s', iif(awaits IS NULL, queue_s, round(max(0, queue_s - {_KEPT_S}), 6)),
    'run_s', run_s, 'ended_at', ended_at, 'code', code, 'detail', detail,
    'message_id', message_id, 'source', source, 'payload', json(payload), 'result', json(result),
    'held', held, 'boost_s', boost_s, 'parent', parent, 'part', part, 'parts', parts,
    'band', band, 'domain', domain, 'bulk', bulk, 'schedule', schedule, 'pool', pool)"""

SCHEMA: Final = (
    # The position of its acceptance orders tasks by age, and makes `newest first` a plain scan.
    """CREATE TABLE tasks (
        accepted INTEGER PRIMARY KEY, task TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
        family TEXT NOT NULL, priority_class TEXT NOT NULL, state TEXT NOT NULL,
        accepted_at REAL NOT NULL, position INTEGER NOT NULL, deadline REAL,
        attempts INTEGER NOT NULL, device TEXT, variant TEXT, queue_s REAL, run_s REAL,
        ended_at REAL, code TEXT, detail TEXT, message_id TEXT NOT NULL, source TEXT NOT NULL,
        payload TEXT NOT NULL, result TEXT, held TEXT NOT NULL, boost_s REAL NOT NULL,
        parent TEXT, part INTEGER NOT NULL, parts INTEGER NOT NULL, band TEXT NOT NULL,
        domain TEXT, bulk TEXT NOT NULL, schedule TEXT NOT NULL, pool TEXT NOT NULL,
        arrival REAL NOT NULL, awaits TEXT)""",
    "CREATE INDEX tasks_by_tenant ON tasks (tenant)",
    "CREATE INDEX tasks_by_bulk ON tasks (bulk) WHERE bulk <> ''",
    "CREATE INDEX tasks_by_schedule ON tasks (schedule) WHERE schedule <> ''",
    "CREATE INDEX tasks_by_parent ON tasks (parent) WHERE parent IS NOT NULL",
)

# Each batch is one JSON document and two statements: a statement per row would wait for the
# interpreter lock per row while the event loop is busy.
INSERT: Final = """
    INSERT OR IGNORE INTO tasks
    SELECT json_extract(value, '$.accepted'), json_extract(value, '$.task'),
        json_extract(value, '$.tenant'), json_extract(value, '$.family'),
        json_extract(value, '$.priority_class'), json_extract(value, '$.state'),
        json_extract(value, '$.accepted_at'), json_extract(value, '$.position'),
        json_extract(value, '$.deadline'), coalesce(json_extract(value, '$.attempts'), 0),
        json_extract(value, '$.device'), json_extract(value, '$.variant'),
        json_extract(value, '$.queue_s'), json_extract(value, '$.run_s'),
        json_extract(value, '$.ended_at'), json_extract(value, '$.code'),
        json_extract(value, '$.detail'), json_extract(value, '$.message_id'),
        json_extract(value, '$.source'), json_extract(value, '$.payload'),
        json_extract(value, '$.result'), coalesce(json_extract(value, '$.held'), ''),
        json_extract(value, '$.boost_s'), json_extract(value, '$.parent'),
        json_extract(value, '$.part'), coalesce(json_extract(value, '$.parts'), 0),
        json_extract(value, '$.band'), json_extract(value, '$.domain'),
        json_extract(value, '$.bulk'), json_extract(value, '$.schedule'),
        json_extract(value, '$.pool'),
        json_extract(value, '$.arrival'), json_extract(value, '$.awaits')
    FROM json_each(?)"""
UPDATE: Final = """
    WITH change AS MATERIALIZED (
        SELECT json_extract(value, '$.task') AS task, value AS new FROM json_each(?))
    UPDATE tasks SET
        state = CASE
            WHEN state = 'split' AND json_extract(new, '$.state') IN ('queued', 'granted')
            THEN state ELSE coalesce(json_extract(new, '$.state'), state) END,
        position = json_extract(new, '$.position'),
        priority_class = coalesce(json_extract(new, '$.priority_class'), priority_class),
        attempts = coalesce(json_extract(new, '$.attempts'), attempts),
        device = coalesce(json_extract(new, '$.device'), device),
        variant = coalesce(json_extract(new, '$.variant'), variant),
        queue_s = coalesce(json_extract(new, '$.queue_s'), queue_s),
        run_s = coalesce(json_extract(new, '$.run_s'), run_s),
        ended_at = coalesce(json_extract(new, '$.ended_at'), ended_at),
        code = coalesce(json_extract(new, '$.code'), code),
        detail = coalesce(json_extract(new, '$.detail'), detail),
        result = coalesce(json_extract(new, '$.result'), result),
        held = coalesce(json_extract(new, '$.held'), held),
        boost_s = coalesce(json_extract(new, '$.boost_s'), boost_s),
        parts = coalesce(json_extract(new, '$.parts'), parts)
    FROM change WHERE tasks.task = change.task"""
