-- Accounts and orders of ACME. A record is one JSON document; the columns beside it are what is looked
-- for, and follow from it. Times are microseconds since 1970, UTC.

CREATE TABLE acme_account (
    id bytea PRIMARY KEY,
    -- The SHA-256 of its key (RFC 7638).
    thumbprint bytea NOT NULL UNIQUE,
    -- The account elsewhere that it is bound to.
    external text UNIQUE,
    version bigint NOT NULL,
    -- Text and not jsonb, which takes no U+0000.
    document text NOT NULL
);

CREATE TABLE acme_order (
    -- Ascends with arrival, within one account.
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id bytea NOT NULL UNIQUE,
    account bytea NOT NULL,
    -- The certificate that it is to replace, as renewal information names it.
    replaces text,
    -- The serial number of its certificate.
    serial bytea,
    -- The first moment at which nothing can become of it any more; NULL where that was always.
    open_until bigint,
    keep_until bigint NOT NULL,
    version bigint NOT NULL,
    document text NOT NULL
);

CREATE INDEX acme_order_of_account ON acme_order (account, key);

CREATE INDEX acme_order_open ON acme_order (account, open_until) WHERE open_until IS NOT NULL;

CREATE INDEX acme_order_by_replaced ON acme_order (replaces, key) WHERE replaces IS NOT NULL;

CREATE INDEX acme_order_by_serial ON acme_order (serial, key) WHERE serial IS NOT NULL;

CREATE INDEX acme_order_by_end ON acme_order (keep_until);

-- The keys that devices attested, each for one order; they outlive it.
CREATE TABLE acme_attested_key (
    fingerprint bytea PRIMARY KEY,
    -- The order's id.
    order_id bytea NOT NULL
);

CREATE TABLE acme_nonce (
    id bytea PRIMARY KEY,
    expires_at bigint NOT NULL
);

CREATE INDEX acme_nonce_by_expiry ON acme_nonce (expires_at);

INSERT INTO scep_counter (name, slot, value)
SELECT name, slot, 0
FROM unnest(ARRAY['accounts', 'orders', 'nonces', 'attested_keys']) AS name,
    generate_series(0, 15) AS slot;

-- What this account must have alone and another has.
CREATE FUNCTION acme_taken(
    _id bytea, _thumbprint bytea, _external text, OUT outcome text, OUT owner bytea
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT id INTO owner FROM acme_account WHERE thumbprint = _thumbprint AND id <> _id;
    IF FOUND THEN
        outcome := 'key_taken';
    ELSIF EXISTS (SELECT FROM acme_account WHERE external = _external AND id <> _id) THEN
        outcome := 'external_taken';
    END IF;
END
$$;

CREATE FUNCTION acme_insert_account(
    _id bytea, _thumbprint bytea, _external text, _document text, _most bigint,
    OUT outcome text, OUT owner bytea
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO outcome, owner FROM acme_taken(_id, _thumbprint, _external);
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM acme_account WHERE id = _id) THEN
        outcome := 'conflict';
        RETURN;
    END IF;
    IF NOT scep_has_room('accounts', 1, _most) THEN
        outcome := 'full';
        RETURN;
    END IF;
    INSERT INTO acme_account (id, thumbprint, external, version, document)
    VALUES (_id, _thumbprint, _external, 1, _document);
    PERFORM scep_count('accounts', 1);
    outcome := 'written';
END
$$;

CREATE FUNCTION acme_update_account(
    _id bytea, _version bigint, _thumbprint bytea, _external text, _document text,
    OUT outcome text, OUT owner bytea
)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM acme_account WHERE id = _id AND version = _version FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'conflict';
        RETURN;
    END IF;
    SELECT * INTO outcome, owner FROM acme_taken(_id, _thumbprint, _external);
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    UPDATE acme_account SET
        thumbprint = _thumbprint, external = _external, version = version + 1, document = _document
    WHERE id = _id;
    outcome := 'written';
END
$$;

-- The two locks let the orders of one account, and those that replace one certificate, come one by one:
-- what they must not be together, no constraint can say. They end with the transaction.
CREATE FUNCTION acme_insert_order(
    _id bytea, _account bytea, _replaces text, _serial bytea, _open_until bigint,
    _keep_until bigint, _document text, _now bigint, _open bigint, _most bigint
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    has_failed boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(1296321876, hashtext(encode(_account, 'hex')));
    IF _replaces IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(1296321877, hashtext(_replaces));
    END IF;
    -- Counts no further than it has to.
    IF _open <= (SELECT count(*) FROM (
        SELECT FROM acme_order WHERE account = _account AND open_until > _now LIMIT _open
    ) AS found) THEN
        RETURN 'too_many_open';
    END IF;
    SELECT serial IS NULL AND coalesce(open_until <= _now, true) INTO has_failed
    FROM acme_order WHERE replaces = _replaces ORDER BY key DESC LIMIT 1;
    IF FOUND AND NOT has_failed THEN
        RETURN 'replaced';
    END IF;
    IF EXISTS (SELECT FROM acme_order WHERE id = _id) THEN
        RETURN 'exists';
    END IF;
    IF NOT scep_has_room('orders', 1, _most) THEN
        RETURN 'full';
    END IF;
    INSERT INTO acme_order
        (id, account, replaces, serial, open_until, keep_until, version, document)
    VALUES
        (_id, _account, _replaces, _serial, _open_until, _keep_until, 1, _document);
    PERFORM scep_count('orders', 1);
    RETURN 'inserted';
END
$$;

CREATE FUNCTION acme_commit_order(
    _id bytea, _version bigint, _account bytea, _replaces text, _serial bytea, _open_until bigint,
    _keep_until bigint, _document text, _keys bytea[], _most bigint
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    fresh bytea[];
BEGIN
    PERFORM FROM acme_order WHERE id = _id AND version = _version FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'conflict';
    END IF;
    IF EXISTS (
        SELECT FROM acme_attested_key WHERE fingerprint = ANY (_keys) AND order_id <> _id
    ) THEN
        RETURN 'key_used';
    END IF;
    -- In one order for everybody, so that no two wait for each other.
    SELECT coalesce(array_agg(DISTINCT key ORDER BY key), ARRAY[]::bytea[]) INTO fresh
    FROM unnest(_keys) AS key
    WHERE NOT EXISTS (SELECT FROM acme_attested_key WHERE fingerprint = key);
    IF NOT scep_has_room('attested_keys', cardinality(fresh), _most) THEN
        RETURN 'full';
    END IF;
    INSERT INTO acme_attested_key (fingerprint, order_id) SELECT key, _id FROM unnest(fresh) AS key;
    UPDATE acme_order SET
        account = _account, replaces = _replaces, serial = _serial, open_until = _open_until,
        keep_until = _keep_until, version = version + 1, document = _document
    WHERE id = _id;
    PERFORM scep_count('attested_keys', cardinality(fresh));
    RETURN 'committed';
END
$$;

CREATE FUNCTION acme_spend_nonce(_id bytea, _expires_at bigint, _most bigint) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM acme_nonce WHERE id = _id) THEN
        RETURN 'spent';
    END IF;
    IF NOT scep_has_room('nonces', 1, _most) THEN
        RETURN 'full';
    END IF;
    INSERT INTO acme_nonce (id, expires_at) VALUES (_id, _expires_at);
    PERFORM scep_count('nonces', 1);
    RETURN 'first';
END
$$;

CREATE FUNCTION acme_forget(_now bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    nonces bigint;
    orders bigint;
BEGIN
    DELETE FROM acme_nonce WHERE expires_at < _now;
    GET DIAGNOSTICS nonces = ROW_COUNT;
    DELETE FROM acme_order WHERE keep_until < _now;
    GET DIAGNOSTICS orders = ROW_COUNT;
    PERFORM scep_count('nonces', -nonces);
    PERFORM scep_count('orders', -orders);
    RETURN nonces + orders;
END
$$;
