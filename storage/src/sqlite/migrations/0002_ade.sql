-- Accounts of Apple's device assignment. A record is one JSON document; the columns beside it are
-- what is looked for, and follow from it. Times in them are keys: seconds since 1970 with the sign
-- turned, then nanoseconds, big-endian, so that bytes are in the order of time.

CREATE TABLE ade_account (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- Holds the server token and private keys. NULL where devices or profiles came without it.
    document TEXT
) STRICT;

-- Rows in the order of arrival, which is Apple's order and that of later writes.
CREATE TABLE ade_device (
    key INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    serial_number TEXT NOT NULL,
    -- NULL while the device is the account's.
    released BLOB,
    sweep INTEGER NOT NULL,
    state TEXT NOT NULL,
    wanted_profile TEXT,
    due BLOB,
    replacing INTEGER NOT NULL,
    giving_up INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (serial_number, account)
) STRICT;

-- Each is in the order in which pages are given, so that no page is sorted.
CREATE INDEX ade_device_listed ON ade_device (account, serial_number, released, sweep);

CREATE INDEX ade_device_state ON ade_device (account, state, serial_number)
    WHERE released IS NULL;

CREATE INDEX ade_device_wanting ON ade_device (account, wanted_profile, serial_number)
    WHERE wanted_profile IS NOT NULL;

CREATE INDEX ade_device_due ON ade_device (account, serial_number, due) WHERE due IS NOT NULL;

CREATE INDEX ade_device_next ON ade_device (account, due) WHERE due IS NOT NULL;

CREATE INDEX ade_device_released ON ade_device (account, serial_number, released)
    WHERE released IS NOT NULL;

CREATE INDEX ade_device_replacing ON ade_device (account, serial_number) WHERE replacing = 1;

CREATE INDEX ade_device_giving_up ON ade_device (account, serial_number) WHERE giving_up = 1;

CREATE TABLE ade_profile (
    account INTEGER NOT NULL,
    uuid TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, uuid)
) STRICT;
