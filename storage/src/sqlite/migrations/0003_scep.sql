-- What an authority issues under SCEP and ACME: one-time challenges, certificates, requests that wait.
-- Times are microseconds since 1970, UTC. A serial number is the content of its DER INTEGER. What is
-- looked for by random bytes has an index of these alone, and rows in the order of arrival.

CREATE TABLE scep_challenge (
    key INTEGER PRIMARY KEY,
    -- SHA-256 of the challenge, which itself is not in here.
    id BLOB NOT NULL UNIQUE,
    label TEXT NOT NULL,
    -- What the request must say; empty where nothing binds.
    bound TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The request that spent it, and the serial number of the certificate that this one got.
    request BLOB,
    serial BLOB
) STRICT;

CREATE INDEX scep_challenge_by_expiry ON scep_challenge (expires_at);

CREATE TABLE scep_certificate (
    key INTEGER PRIMARY KEY,
    serial BLOB NOT NULL UNIQUE,
    -- Whose enrolment it was issued for, for people who look.
    label TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    -- The request, where it renewed a certificate; a repetition is found by it.
    renewal BLOB,
    revoked_at INTEGER,
    -- The number of the reason (RFC 5280 section 5.3.1).
    revoked_for INTEGER,
    der BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX scep_certificate_by_renewal ON scep_certificate (renewal)
    WHERE renewal IS NOT NULL;

CREATE INDEX scep_certificate_revoked ON scep_certificate (not_after)
    WHERE revoked_at IS NOT NULL;

CREATE TABLE scep_pending (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    request BLOB NOT NULL,
    -- What will allow it: 0 the challenge of this id, 1 the certificate of this serial number,
    -- 2 something that is not kept here.
    grant_kind INTEGER NOT NULL,
    grant_by BLOB,
    label TEXT NOT NULL,
    since INTEGER NOT NULL,
    -- NULL until somebody decides.
    approved INTEGER,
    -- Why it was denied.
    reason TEXT,
    csr BLOB NOT NULL
) STRICT;

CREATE INDEX scep_pending_by_age ON scep_pending (since);

CREATE INDEX scep_pending_undecided ON scep_pending (since, id) WHERE approved IS NULL;

-- How many there are, since counting rows takes the longer the more there are; and the last number
-- of a revocation list.
CREATE TABLE scep_counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO scep_counter (name, value) VALUES ('challenges', 0), ('pending', 0), ('crl_number', 0);
