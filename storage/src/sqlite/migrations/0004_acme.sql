-- Accounts and orders of ACME. A record is one JSON document; the columns beside it are what is looked
-- for, and follow from it. Times are microseconds since 1970, UTC.

CREATE TABLE acme_account (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    -- The SHA-256 of its key (RFC 7638).
    thumbprint BLOB NOT NULL UNIQUE,
    -- The account elsewhere that it is bound to.
    external TEXT UNIQUE,
    version INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;

CREATE TABLE acme_order (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    account BLOB NOT NULL,
    -- The certificate that it is to replace, as renewal information names it.
    replaces TEXT,
    -- The serial number of its certificate.
    serial BLOB,
    -- The first moment at which nothing can become of it any more; NULL where that was always.
    open_until INTEGER,
    keep_until INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;

-- For listings: within one account its entries are in the order of arrival.
CREATE INDEX acme_order_of_account ON acme_order (account);

CREATE INDEX acme_order_open ON acme_order (account, open_until) WHERE open_until IS NOT NULL;

CREATE INDEX acme_order_by_replaced ON acme_order (replaces) WHERE replaces IS NOT NULL;

CREATE INDEX acme_order_by_serial ON acme_order (serial) WHERE serial IS NOT NULL;

CREATE INDEX acme_order_by_end ON acme_order (keep_until);

-- The keys that devices attested, each for one order; they outlive it.
CREATE TABLE acme_attested_key (
    fingerprint BLOB PRIMARY KEY,
    -- The order's id.
    order_id BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acme_nonce (
    id BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX acme_nonce_by_expiry ON acme_nonce (expires_at);

INSERT INTO scep_counter (name, value)
VALUES ('accounts', 0), ('orders', 0), ('nonces', 0), ('attested_keys', 0);
