-- Owners, places and invitations; escrow; when a push is due; priorities, ends and keys in the queue; an
-- outbox for each subscriber; leases. Times are microseconds since 1970, UTC.

ALTER TABLE enrollments ADD COLUMN owner TEXT;

-- The pools that it takes a place in, as JSON; `places` follows from it.
ALTER TABLE enrollments ADD COLUMN licences TEXT NOT NULL DEFAULT '[]';

-- What it last said of itself, as JSON.
ALTER TABLE enrollments ADD COLUMN reported TEXT;

-- The id of the invitation that it came with.
ALTER TABLE enrollments ADD COLUMN invitation TEXT;

-- What its last coming was taken for, as JSON.
ALTER TABLE enrollments ADD COLUMN decision TEXT;

-- For listings: each holds its entries in the order of id.
DROP INDEX enrollments_by_device;

CREATE INDEX enrollments_by_device ON enrollments (device, id);

CREATE INDEX enrollments_by_owner ON enrollments (owner, id) WHERE owner IS NOT NULL;

CREATE INDEX enrollments_by_serial_number ON enrollments (serial_number, id)
    WHERE serial_number IS NOT NULL;

-- What changes with polls and pushes, in narrow rows beside the enrolments'.
CREATE TABLE contact (
    -- The key of the enrolment's row.
    enrollment INTEGER PRIMARY KEY,
    last_seen_at INTEGER,
    -- NULL: nobody need push. Set only where the enrolment can be pushed to.
    push_due_at INTEGER,
    push_dead_at INTEGER
) STRICT;

-- Whoever has something waiting is pushed to once.
INSERT INTO contact (enrollment, push_due_at)
SELECT key, CASE WHEN status = 1 AND topic IS NOT NULL
        AND EXISTS (SELECT 1 FROM queue WHERE enrollment = key) THEN 0 END
FROM enrollments;

CREATE INDEX contact_by_due ON contact (push_due_at) WHERE push_due_at IS NOT NULL;

-- How many have a place, since counting rows takes the longer the more there are.
CREATE TABLE pools (
    name TEXT PRIMARY KEY,
    taken INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE places (
    pool TEXT NOT NULL,
    -- The enrolment's id.
    holder TEXT NOT NULL,
    PRIMARY KEY (pool, holder)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT,
    serial_number TEXT,
    udid TEXT,
    -- Pairs of pool and limit, as JSON.
    licences TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The device's id.
    spent_by TEXT,
    spent_at INTEGER
) STRICT;

CREATE INDEX invitations_unspent ON invitations (expires_at) WHERE spent_by IS NULL;

CREATE TABLE escrow (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The enrolment's id: an entry outlives it.
    holder TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- The UUID of the command that it came with.
    source TEXT,
    value BLOB NOT NULL
) STRICT;

CREATE INDEX escrow_in_order ON escrow (holder);

CREATE INDEX escrow_by_kind ON escrow (holder, kind);

-- What the hot path reads stands before the body.
CREATE TABLE new_commands (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    enrollment INTEGER NOT NULL,
    -- Minus the priority: what is offered first sorts first.
    rank INTEGER NOT NULL DEFAULT 0,
    uuid TEXT NOT NULL,
    request_type TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER,
    key TEXT,
    body BLOB NOT NULL,
    UNIQUE (enrollment, uuid)
) STRICT;

INSERT INTO new_commands (seq, enrollment, uuid, request_type, at, body)
SELECT seq, enrollment, uuid, request_type, at, body FROM commands;

-- Numbers that were given out are not given out again.
DELETE FROM sqlite_sequence WHERE name = 'new_commands';

INSERT INTO sqlite_sequence (name, seq)
SELECT 'new_commands', seq FROM sqlite_sequence WHERE name = 'commands';

DROP TABLE commands;

ALTER TABLE new_commands RENAME TO commands;

CREATE INDEX commands_in_order ON commands (enrollment);

-- What waits, and nothing else. A finished command leaves it for good.
CREATE TABLE new_queue (
    enrollment INTEGER NOT NULL,
    -- 0 never answered, 1 answered NotNow and offered again, 2 set aside until Idle.
    phase INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    expires_at INTEGER,
    key TEXT,
    PRIMARY KEY (enrollment, phase, rank, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO new_queue (enrollment, phase, rank, seq) SELECT enrollment, phase, 0, seq FROM queue;

DROP TABLE queue;

ALTER TABLE new_queue RENAME TO queue;

CREATE UNIQUE INDEX queue_by_key ON queue (enrollment, key) WHERE key IS NOT NULL;

CREATE INDEX queue_by_end ON queue (enrollment, expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX queue_by_end_of_all ON queue (expires_at) WHERE expires_at IS NOT NULL;

-- Tells an expired command from one that was taken back; in both the status is NULL.
ALTER TABLE results ADD COLUMN expired INTEGER;

CREATE TABLE subscribers (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Whose an event is. Those before were nobody's.
ALTER TABLE outbox ADD COLUMN subscriber INTEGER NOT NULL DEFAULT 0;

DELETE FROM outbox;

CREATE INDEX outbox_in_order ON outbox (subscriber);

CREATE TABLE dead_letters (
    subscriber INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    enrollment TEXT NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    reason TEXT NOT NULL,
    buried_at INTEGER NOT NULL,
    PRIMARY KEY (subscriber, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
