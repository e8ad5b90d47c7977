-- Of two orders that attest one key at the same moment, one is told so. The key that is not fresh any more was once
-- looked for in the wrong order: first whether another order has it, then whether anybody has.
CREATE OR REPLACE FUNCTION acme_commit_order(
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
    -- In one order for everybody, so that no two wait for each other.
    SELECT coalesce(array_agg(DISTINCT key ORDER BY key), ARRAY[]::bytea[]) INTO fresh
    FROM unnest(_keys) AS key
    WHERE NOT EXISTS (SELECT FROM acme_attested_key WHERE fingerprint = key);
    -- Looked at afterwards: a key that ceased to be fresh meanwhile is seen here, and one that ceases to be so later
    -- runs into the other's row.
    IF EXISTS (
        SELECT FROM acme_attested_key WHERE fingerprint = ANY (_keys) AND order_id <> _id
    ) THEN
        RETURN 'key_used';
    END IF;
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
