-- Accounts of Apple's device assignment. A record is one JSON document; the columns beside it are
-- what is looked for, and follow from it. Times in them are keys: seconds since 1970 with the sign
-- turned, then nanoseconds, big-endian, so that bytes are in the order of time.

CREATE TABLE ade_account (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- Holds the server token and private keys. NULL where devices or profiles came without it.
    document TEXT
) STRICT;

CREATE TABLE ade_device (
    -- In the order of arrival, which is that of Apple's pages.
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
    UNIQUE (account, serial_number)
) STRICT;

-- Serial numbers come in no order: an index by them scatters each page of devices over the whole
-- file, so there is one. The others are in the order of arrival, and what is found is sorted. They
-- hold the column of their condition too, for SQLite looks at it again.
CREATE INDEX ade_device_by_sweep ON ade_device (account, sweep, key, serial_number, released)
    WHERE released IS NULL;

CREATE INDEX ade_device_by_state ON ade_device (account, state, key, serial_number, released)
    WHERE released IS NULL;

CREATE INDEX ade_device_by_profile ON ade_device (account, wanted_profile, key, serial_number)
    WHERE wanted_profile IS NOT NULL;

CREATE INDEX ade_device_by_due ON ade_device (account, due, key, serial_number)
    WHERE due IS NOT NULL;

CREATE INDEX ade_device_by_release ON ade_device (account, released, key, serial_number)
    WHERE released IS NOT NULL;

CREATE INDEX ade_device_replacing ON ade_device (account, key, serial_number, replacing)
    WHERE replacing = 1;

CREATE INDEX ade_device_giving_up ON ade_device (account, key, serial_number, giving_up)
    WHERE giving_up = 1;

CREATE TABLE ade_profile (
    account INTEGER NOT NULL,
    uuid TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, uuid)
) STRICT;
