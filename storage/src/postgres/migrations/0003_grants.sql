-- What granted a certificate, and the order in which certificates came.

ALTER TABLE scep_certificate
    -- 0 a challenge, 1 the certificate that it renews, 2 something that is not kept here, 3 an order of ACME.
    -- NULL where it was kept before this was.
    ADD COLUMN granted smallint,
    -- Ascends with arrival.
    ADD COLUMN key bigint GENERATED ALWAYS AS IDENTITY;

CREATE UNIQUE INDEX scep_certificate_by_key ON scep_certificate (key);

-- As scep_commit, which keeps no kind of grant and knows no orders: 0 and 3 are a challenge that is spent.
CREATE FUNCTION scep_commit_granted(
    _granted smallint, _grant_by bytea, _label text, _request bytea,
    _serial bytea, _at bigint, _not_after bigint, _der bytea,
    OUT outcome text, OUT earlier bytea
)
LANGUAGE plpgsql AS $$
DECLARE
    spent_by bytea;
    spent_for bytea;
BEGIN
    IF _granted IN (0, 3) THEN
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
    ELSIF _granted = 1 THEN
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
    INSERT INTO scep_certificate (serial, label, issued_at, not_after, renewal, der, granted)
    VALUES (_serial, _label, _at, _not_after, CASE WHEN _granted = 1 THEN _request END, _der, _granted);
    IF _granted IN (0, 3) THEN
        UPDATE scep_challenge SET request = _request, serial = _serial WHERE id = _grant_by;
    END IF;
    outcome := 'stored';
END
$$;
