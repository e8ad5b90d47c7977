-- Accounts of Apple's device assignment. A record is one JSON document; the columns beside it are what is looked
-- for, and follow from it. Times in them are keys: seconds since 1970 with the sign turned, then nanoseconds,
-- big-endian, so that bytes are in the order of time.

CREATE TABLE ade_account (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    -- Holds the server token and private keys. NULL where devices or profiles came without it. Text and not
    -- jsonb, which takes no U+0000.
    document text
);

CREATE TABLE ade_device (
    account bigint NOT NULL,
    serial_number text COLLATE "C" NOT NULL,
    -- NULL while the device is the account's.
    released bytea,
    sweep bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    wanted_profile text COLLATE "C",
    due bytea,
    replacing boolean NOT NULL,
    giving_up boolean NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (account, serial_number)
);

CREATE INDEX ade_device_by_serial_number ON ade_device (serial_number);

CREATE INDEX ade_device_by_sweep ON ade_device (account, sweep) WHERE released IS NULL;

CREATE INDEX ade_device_by_state ON ade_device (account, state, serial_number) WHERE released IS NULL;

CREATE INDEX ade_device_by_profile ON ade_device (account, wanted_profile, serial_number)
    WHERE wanted_profile IS NOT NULL;

CREATE INDEX ade_device_by_due ON ade_device (account, due) WHERE due IS NOT NULL;

CREATE INDEX ade_device_by_release ON ade_device (account, released) WHERE released IS NOT NULL;

CREATE INDEX ade_device_replacing ON ade_device (account, serial_number) WHERE replacing;

CREATE INDEX ade_device_giving_up ON ade_device (account, serial_number) WHERE giving_up;

CREATE TABLE ade_profile (
    account bigint NOT NULL,
    uuid text COLLATE "C" NOT NULL,
    document text NOT NULL,
    PRIMARY KEY (account, uuid)
);
