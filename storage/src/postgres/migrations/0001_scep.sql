-- What an authority issues under SCEP and ACME: one-time challenges, certificates, requests that wait.
-- Times are microseconds since 1970, UTC. A serial number is the content of its DER INTEGER.
--
-- A step that has to decide is a function: one round trip, one transaction. It looks, and then it writes;
-- what somebody else writes in between is either kept away by a lock on a row or runs into a unique
-- constraint, whereupon the whole step is asked for again.

CREATE TABLE scep_challenge (
    -- SHA-256 of the challenge, which itself is not in here.
    id bytea PRIMARY KEY,
    label text NOT NULL,
    -- What the request must say; empty where nothing binds.
    bound text NOT NULL,
    issued_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    -- The request that spent it, and the serial number of the certificate that this one got.
    request bytea,
    serial bytea
);

CREATE INDEX scep_challenge_by_expiry ON scep_challenge (expires_at);

CREATE TABLE scep_certificate (
    serial bytea PRIMARY KEY,
    -- Whose enrolment it was issued for, for people who look.
    label text NOT NULL,
    issued_at bigint NOT NULL,
    not_after bigint NOT NULL,
    -- The request, where it renewed a certificate; a repetition is found by it.
    renewal bytea,
    revoked_at bigint,
    -- The number of the reason (RFC 5280 section 5.3.1).
    revoked_for smallint,
    der bytea NOT NULL
);

CREATE UNIQUE INDEX scep_certificate_by_renewal ON scep_certificate (renewal)
    WHERE renewal IS NOT NULL;

CREATE INDEX scep_certificate_revoked ON scep_certificate (not_after)
    WHERE revoked_at IS NOT NULL;

CREATE TABLE scep_pending (
    id bytea PRIMARY KEY,
    request bytea NOT NULL,
    -- What will allow it: 0 the challenge of this id, 1 the certificate of this serial number,
    -- 2 something that is not kept here.
    grant_kind smallint NOT NULL,
    grant_by bytea,
    label text NOT NULL,
    since bigint NOT NULL,
    -- NULL until somebody decides.
    approved boolean,
    -- Why it was denied.
    reason text,
    csr bytea NOT NULL
);

CREATE INDEX scep_pending_by_age ON scep_pending (since);

CREATE INDEX scep_pending_undecided ON scep_pending (since, id) WHERE approved IS NULL;

-- How many there are, since counting rows takes the longer the more there are. Each connection counts
-- in a slot by its number, so that they do not wait for each other; the sum counts.
CREATE TABLE scep_counter (
    name text NOT NULL,
    slot integer NOT NULL,
    value bigint NOT NULL,
    PRIMARY KEY (name, slot)
) WITH (fillfactor = 50);

INSERT INTO scep_counter (name, slot, value)
SELECT name, slot, 0 FROM unnest(ARRAY['challenges', 'pending']) AS name, generate_series(0, 15) AS slot;

-- The last number of a revocation list. It has one slot: all wait for each other.
INSERT INTO scep_counter (name, slot, value) VALUES ('crl_number', 0, 0);

CREATE FUNCTION scep_has_room(_name text, _more bigint, _most bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(value), 0) + _more <= _most FROM scep_counter WHERE name = _name
$$;

-- To be called last, since others may wait for the slot until the transaction ends.
CREATE FUNCTION scep_count(_name text, _more bigint) RETURNS void
LANGUAGE sql AS $$
    UPDATE scep_counter SET value = value + _more
    WHERE name = _name AND slot = pg_backend_pid() % 16 AND _more <> 0
$$;

CREATE FUNCTION scep_insert_challenge(
    _id bytea, _label text, _bound text, _issued_at bigint, _expires_at bigint,
    _request bytea, _serial bytea, _most bigint
) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM scep_challenge WHERE id = _id) THEN
        RETURN 'exists';
    END IF;
    IF NOT scep_has_room('challenges', 1, _most) THEN
        RETURN 'full';
    END IF;
    INSERT INTO scep_challenge (id, label, bound, issued_at, expires_at, request, serial)
    VALUES (_id, _label, _bound, _issued_at, _expires_at, _request, _serial);
    PERFORM scep_count('challenges', 1);
    RETURN 'kept';
END
$$;

CREATE FUNCTION scep_forget_challenges(_before bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM scep_challenge WHERE expires_at < _before;
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM scep_count('challenges', -gone);
    RETURN gone;
END
$$;

-- Keeps a certificate and spends what granted it. The lock on the challenge, or on the certificate that
-- renews, makes one commit out of many look first; the others see what it has written.
CREATE FUNCTION scep_commit(
    _grant_kind smallint, _grant_by bytea, _label text, _request bytea,
    _serial bytea, _at bigint, _not_after bigint, _der bytea,
    OUT outcome text, OUT earlier bytea
)
LANGUAGE plpgsql AS $$
DECLARE
    spent_by bytea;
    spent_for bytea;
BEGIN
    IF _grant_kind = 0 THEN
        SELECT request, serial INTO spent_by, spent_for
        FROM scep_challenge WHERE id = _grant_by FOR UPDATE;
        IF NOT FOUND OR spent_by <> _request THEN
            outcome := 'conflict';
            RETURN;
        END IF;
        IF spent_by = _request THEN
            outcome := 'repeated';
            SELECT der INTO earlier FROM scep_certificate WHERE serial = spent_for;
            RETURN;
        END IF;
    ELSIF _grant_kind = 1 THEN
        PERFORM FROM scep_certificate WHERE serial = _grant_by AND revoked_at IS NULL FOR UPDATE;
        IF NOT FOUND THEN
            outcome := 'conflict';
            RETURN;
        END IF;
        SELECT der INTO earlier FROM scep_certificate WHERE renewal = _request;
        IF FOUND THEN
            outcome := 'repeated';
            RETURN;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM scep_certificate WHERE serial = _serial) THEN
        outcome := 'exists';
        RETURN;
    END IF;
    INSERT INTO scep_certificate (serial, label, issued_at, not_after, renewal, der)
    VALUES (_serial, _label, _at, _not_after, CASE WHEN _grant_kind = 1 THEN _request END, _der);
    IF _grant_kind = 0 THEN
        UPDATE scep_challenge SET request = _request, serial = _serial WHERE id = _grant_by;
    END IF;
    outcome := 'stored';
END
$$;

-- The revocation that counts, of several the first. No row where the certificate is not kept.
CREATE FUNCTION scep_revoke(_serial bytea, _at bigint, _reason smallint)
RETURNS TABLE (counts_at bigint, counts_for smallint)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE scep_certificate SET revoked_at = _at, revoked_for = _reason
    WHERE serial = _serial AND revoked_at IS NULL;
    RETURN QUERY SELECT revoked_at, revoked_for FROM scep_certificate WHERE serial = _serial;
END
$$;

-- A request of another name under the same id gives way, with its decision.
CREATE FUNCTION scep_hold(
    _id bytea, _request bytea, _csr bytea, _grant_kind smallint, _grant_by bytea, _label text,
    _since bigint, _approved boolean, _reason text, _most bigint
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    kept bytea;
BEGIN
    SELECT request INTO kept FROM scep_pending WHERE id = _id FOR UPDATE;
    IF FOUND THEN
        IF kept = _request THEN
            RETURN 'exists';
        END IF;
        UPDATE scep_pending SET
            request = _request, csr = _csr, grant_kind = _grant_kind, grant_by = _grant_by,
            label = _label, since = _since, approved = _approved, reason = _reason
        WHERE id = _id;
        RETURN 'kept';
    END IF;
    IF NOT scep_has_room('pending', 1, _most) THEN
        RETURN 'full';
    END IF;
    INSERT INTO scep_pending
        (id, request, csr, grant_kind, grant_by, label, since, approved, reason)
    VALUES
        (_id, _request, _csr, _grant_kind, _grant_by, _label, _since, _approved, _reason);
    PERFORM scep_count('pending', 1);
    RETURN 'kept';
END
$$;

-- The decision that counts, of several the first. No row where the request waits no longer.
CREATE FUNCTION scep_resolve(_id bytea, _request bytea, _approved boolean, _reason text)
RETURNS TABLE (counts boolean, because text)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE scep_pending SET approved = _approved, reason = _reason
    WHERE id = _id AND request = _request AND approved IS NULL;
    RETURN QUERY SELECT approved, reason FROM scep_pending WHERE id = _id AND request = _request;
END
$$;

CREATE FUNCTION scep_forget_pending(_before bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM scep_pending WHERE since < _before;
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM scep_count('pending', -gone);
    RETURN gone;
END
$$;
