-- Times are microseconds since 1970, UTC. What the hot path reads stands first in its row.

CREATE TABLE enrollments (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- The key of the device's row; a device names itself.
    device INTEGER NOT NULL,
    -- Counts the changes of a device and its users; 0 in a user's row.
    version INTEGER NOT NULL,
    -- 0 authenticated, 1 enrolled, 2 disabled.
    status INTEGER NOT NULL,
    -- SHA-256 of the certificate that the device must show.
    certificate BLOB,
    topic TEXT,
    push_token BLOB,
    push_magic TEXT,
    token_update_tally INTEGER NOT NULL,
    awaiting_configuration INTEGER,
    serial_number TEXT,
    user_short_name TEXT,
    authenticated_at INTEGER,
    enrolled_at INTEGER,
    disabled_at INTEGER,
    unlock_token BLOB,
    bootstrap_token BLOB,
    -- SHA-256 of the certificate that the token is answered to; set where the token is.
    bootstrap_token_certificate BLOB,
    bootstrap_token_is_former INTEGER,
    authenticate BLOB
) STRICT;

CREATE INDEX enrollments_by_device ON enrollments (device);

-- Every certificate that was ever pinned, so that none serves a second device.
CREATE TABLE certificates (
    sha256 BLOB PRIMARY KEY,
    device INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    enrollment INTEGER NOT NULL,
    uuid TEXT NOT NULL,
    request_type TEXT NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (enrollment, uuid)
) STRICT;

-- For listings: within one enrolment its entries are in the order of seq.
CREATE INDEX commands_in_order ON commands (enrollment);

-- What waits, and nothing else. A settled command leaves it for good.
CREATE TABLE queue (
    enrollment INTEGER NOT NULL,
    -- 0 never answered, 1 answered NotNow and offered again, 2 set aside until Idle.
    phase INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (enrollment, phase, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE results (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    -- NULL: cancelled before the device answered.
    status TEXT,
    body BLOB
) STRICT;

CREATE INDEX results_by_time ON results (at);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    enrollment TEXT NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL
) STRICT;
