-- The steps of mdm-service that decide: each one call, one transaction. They are written as procedures, statement
-- after statement, since parts of one statement do not see what the others have done.

-- Puts events into the outbox of every subscriber, in their order.
CREATE FUNCTION mdm_tell(_enrollments text[], _ats bigint[], _events text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mdm_event (subscriber, enrollment, at, event)
    SELECT s.key, e.enrollment, e.at, e.event
    FROM unnest(_enrollments, _ats, _events) WITH ORDINALITY AS e (enrollment, at, event, n)
    CROSS JOIN mdm_subscriber s
    ORDER BY e.n, s.key;
END
$$;

-- Keeps secrets for good. One transaction at a time, so that their numbers become visible in their order.
CREATE FUNCTION mdm_keep(
    _holders text[], _kinds text[], _ats bigint[], _sources text[], _values bytea[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(_holders) = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(1296321878);
    INSERT INTO mdm_escrow (holder, kind, at, source, value)
    SELECT e.holder, e.kind, e.at, e.source, e.value
    FROM unnest(_holders, _kinds, _ats, _sources, _values)
        WITH ORDINALITY AS e (holder, kind, at, source, value, n)
    ORDER BY e.n;
END
$$;

-- Waits until every step has ended that does not know of the new subscriber yet; the next ones do.
CREATE FUNCTION mdm_subscribe(_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM mdm_subscriber WHERE name = _name) THEN
        RETURN false;
    END IF;
    LOCK TABLE mdm_subscriber IN ACCESS EXCLUSIVE MODE;
    INSERT INTO mdm_subscriber (name) VALUES (_name) ON CONFLICT (name) DO NOTHING;
    RETURN FOUND;
END
$$;

-- Most of it goes before anybody has to wait.
CREATE FUNCTION mdm_unsubscribe(_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    _key bigint;
BEGIN
    SELECT key INTO _key FROM mdm_subscriber WHERE name = _name;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM mdm_event WHERE subscriber = _key;
    DELETE FROM mdm_dead_letter WHERE subscriber = _key;
    LOCK TABLE mdm_subscriber IN ACCESS EXCLUSIVE MODE;
    DELETE FROM mdm_subscriber WHERE key = _key;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM mdm_event WHERE subscriber = _key;
    DELETE FROM mdm_dead_letter WHERE subscriber = _key;
    RETURN true;
END
$$;

-- Takes back everything that waits for contacts whose rows are locked.
CREATE FUNCTION mdm_cancel_all(_contacts bigint[], _at bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    _gone bigint;
BEGIN
    WITH gone AS (
        DELETE FROM mdm_queue WHERE enrollment = ANY (_contacts) RETURNING enrollment, seq
    )
    INSERT INTO mdm_result (enrollment, seq, at, expired)
    SELECT enrollment, seq, _at, false FROM gone;
    GET DIAGNOSTICS _gone = ROW_COUNT;
    RETURN _gone;
END
$$;

-- Settles what waits for contacts whose rows are locked and whose time is over, one command or all.
CREATE FUNCTION mdm_expire_of(_contacts bigint[], _seq bigint, _now bigint, _most bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    _gone bigint;
BEGIN
    WITH chosen AS (
        SELECT enrollment, phase, rank, seq FROM mdm_queue
        WHERE enrollment = ANY (_contacts) AND expires_at <= _now AND (_seq IS NULL OR seq = _seq)
        ORDER BY expires_at, seq LIMIT _most
    ), gone AS (
        DELETE FROM mdm_queue q USING chosen o
        WHERE q.enrollment = o.enrollment AND q.phase = o.phase AND q.rank = o.rank AND q.seq = o.seq
        RETURNING q.enrollment, q.seq, q.expires_at
    ), told AS (
        INSERT INTO mdm_event (subscriber, enrollment, at, event)
        SELECT s.key, c.id, _now,
            json_build_object('event', 'command_expired', 'command_uuid', m.uuid)::text
        FROM gone g
        JOIN mdm_contact c ON c.key = g.enrollment
        JOIN mdm_command m ON m.enrollment = g.enrollment AND m.seq = g.seq
        CROSS JOIN mdm_subscriber s
        ORDER BY g.expires_at, g.seq, s.key
    )
    INSERT INTO mdm_result (enrollment, seq, at, expired)
    SELECT enrollment, seq, _now, true FROM gone;
    GET DIAGNOSTICS _gone = ROW_COUNT;
    RETURN _gone;
END
$$;

-- The same for all enrolments. Who is busy right now settles its own.
CREATE FUNCTION mdm_expire(_now bigint, _most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    _contacts bigint[];
BEGIN
    _contacts := ARRAY(
        SELECT key FROM mdm_contact
        WHERE key IN (
            SELECT enrollment FROM mdm_queue
            WHERE expires_at <= _now ORDER BY expires_at LIMIT _most
        )
        FOR UPDATE SKIP LOCKED
    );
    RETURN mdm_expire_of(_contacts, NULL, _now, _most);
END
$$;

-- What is offered next: by priority, then in the order of enqueue.
CREATE FUNCTION mdm_next(_contact bigint, _fresh_only boolean)
RETURNS TABLE (seq bigint, uuid text, body bytea)
LANGUAGE sql STABLE AS $$
    SELECT c.seq, c.uuid, c.body
    FROM (
        (SELECT q.rank, q.seq FROM mdm_queue q
            WHERE q.enrollment = _contact AND q.phase = 0
            ORDER BY q.rank, q.seq LIMIT 1)
        UNION ALL
        (SELECT q.rank, q.seq FROM mdm_queue q
            WHERE q.enrollment = _contact AND q.phase = 1 AND NOT _fresh_only
            ORDER BY q.rank, q.seq LIMIT 1)
        ORDER BY rank, seq LIMIT 1
    ) AS first
    JOIN mdm_command c ON c.enrollment = _contact AND c.seq = first.seq
$$;

-- When a push is due after a report that wants the next at _wanted (PushTimes::settled).
CREATE FUNCTION mdm_push_settled(_at bigint, _due bigint, _wanted bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN _due <= _wanted AND _due - _at >= _wanted - _due THEN _due ELSE _wanted END
$$;

-- Records a report and fetches the next command. An Idle looks first and takes no lock where nothing is to
-- be changed: what one statement sees is of one moment.
CREATE FUNCTION mdm_report(
    _device text, _id text, _certificate bytea, _at bigint,
    -- 0 Idle, 1 NotNow, 2 a final answer; what follows is a final answer's.
    _kind smallint, _uuid text,
    _status text, _body bytea, _event_of text, _event_at bigint, _event text, _reported text,
    _holders text[], _kinds text[], _ats bigint[], _sources text[], _values bytea[],
    -- When to push next, and since when the enrolment must have been heard of.
    _delivered bigint, _set_aside bigint, _seen_since bigint,
    OUT settlement text, OUT next_seq bigint, OUT next_uuid text, OUT next_body bytea
)
LANGUAGE plpgsql AS $$
DECLARE
    _look record;
    _self mdm_contact;
    _is_known boolean;
    _pinned bytea;
    _command record;
    _due bigint;
BEGIN
    IF _kind = 0 THEN
        SELECT d.certificate, s.key, s.last_seen_at, s.push_due_at, n.seq, n.uuid, n.body,
            EXISTS (SELECT FROM mdm_queue q WHERE q.enrollment = s.key AND q.phase = 2)
            OR EXISTS (SELECT FROM mdm_queue q
                WHERE q.enrollment = s.key AND q.expires_at <= _at) AS has_to_act,
            CASE WHEN s.pushable AND n.seq IS NOT NULL
                THEN mdm_push_settled(_at, s.push_due_at, _delivered) END AS due
        INTO _look
        FROM mdm_contact d
        LEFT JOIN mdm_contact s ON s.id = _id
        LEFT JOIN LATERAL mdm_next(s.key, false) n ON true
        WHERE d.id = _device;
        IF NOT FOUND OR _look.certificate IS DISTINCT FROM _certificate THEN
            settlement := 'not_pinned';
            RETURN;
        END IF;
        settlement := 'no_command';
        IF _look.key IS NULL THEN
            RETURN;
        END IF;
        IF NOT _look.has_to_act AND _look.last_seen_at >= _seen_since
            AND _look.due IS NOT DISTINCT FROM _look.push_due_at
        THEN
            next_seq := _look.seq;
            next_uuid := _look.uuid;
            next_body := _look.body;
            RETURN;
        END IF;
    END IF;

    IF _reported IS NOT NULL AND _id <> _device THEN
        PERFORM FROM mdm_contact WHERE id = _device FOR UPDATE;
    END IF;
    SELECT * INTO _self FROM mdm_contact WHERE id = _id FOR UPDATE;
    _is_known := FOUND;
    -- A commit that pins another certificate waits for this lock.
    IF _id = _device THEN
        _pinned := _self.certificate;
    ELSE
        SELECT certificate INTO _pinned FROM mdm_contact WHERE id = _device;
    END IF;
    IF _pinned IS DISTINCT FROM _certificate THEN
        settlement := 'not_pinned';
        RETURN;
    END IF;
    IF NOT _is_known THEN
        settlement := CASE WHEN _kind = 0 THEN 'no_command' ELSE 'unknown' END;
        RETURN;
    END IF;

    IF _kind = 0 THEN
        settlement := 'no_command';
        UPDATE mdm_queue SET phase = 1 WHERE enrollment = _self.key AND phase = 2;
    ELSE
        SELECT rank, seq INTO _command FROM mdm_command WHERE enrollment = _self.key AND uuid = _uuid;
        IF NOT FOUND THEN
            settlement := 'unknown';
        ELSIF _kind = 1 THEN
            UPDATE mdm_queue SET phase = 2
            WHERE enrollment = _self.key AND phase IN (0, 1)
                AND rank = _command.rank AND seq = _command.seq;
            IF NOT FOUND THEN
                PERFORM FROM mdm_queue
                WHERE enrollment = _self.key AND phase = 2
                    AND rank = _command.rank AND seq = _command.seq;
            END IF;
            settlement := CASE WHEN FOUND THEN 'set_aside' ELSE 'before' END;
        ELSE
            DELETE FROM mdm_queue
            WHERE enrollment = _self.key AND phase IN (0, 1, 2)
                AND rank = _command.rank AND seq = _command.seq;
            settlement := CASE WHEN FOUND THEN 'settled' ELSE 'before' END;
        END IF;
    END IF;
    IF settlement = 'settled' THEN
        INSERT INTO mdm_result (enrollment, seq, at, status, expired, body)
        VALUES (_self.key, _command.seq, _at, _status, false, _body);
        INSERT INTO mdm_event (subscriber, enrollment, at, event)
        SELECT key, _event_of, _event_at, _event FROM mdm_subscriber ORDER BY key;
        IF _reported IS NOT NULL THEN
            UPDATE mdm_enrollment SET reported = coalesce(reported, '{}') || _reported::jsonb
            WHERE contact = _self.key;
            UPDATE mdm_contact SET version = version + 1 WHERE id = _device;
        END IF;
    END IF;

    IF EXISTS (SELECT FROM mdm_queue WHERE enrollment = _self.key AND expires_at <= _at) THEN
        PERFORM mdm_expire_of(ARRAY[_self.key], NULL, _at, NULL);
    END IF;
    SELECT n.seq, n.uuid, n.body INTO next_seq, next_uuid, next_body
    FROM mdm_next(_self.key, _kind = 1) n;
    IF NOT _self.pushable THEN
        _due := NULL;
    ELSIF next_seq IS NOT NULL THEN
        _due := mdm_push_settled(_at, _self.push_due_at, _delivered);
    ELSIF EXISTS (SELECT FROM mdm_queue WHERE enrollment = _self.key) THEN
        _due := mdm_push_settled(_at, _self.push_due_at, _set_aside);
    END IF;
    IF _due IS DISTINCT FROM _self.push_due_at
        OR _self.last_seen_at IS NULL OR _self.last_seen_at < _seen_since
    THEN
        UPDATE mdm_contact SET
            push_due_at = _due,
            last_seen_at = CASE WHEN last_seen_at >= _seen_since THEN last_seen_at ELSE _at END
        WHERE key = _self.key;
    END IF;
    IF settlement = 'settled' THEN
        PERFORM mdm_keep(_holders, _kinds, _ats, _sources, _values);
    END IF;
END
$$;

-- Queues commands. Where one of them has a key or names the same command as another, each is looked at after the one
-- before; all others go in at once.
CREATE FUNCTION mdm_enqueue(
    _one_by_one boolean,
    _ids text[], _uuids text[], _request_types text[], _ats bigint[], _ranks integer[],
    _ends bigint[], _keys text[], _bodies bytea[]
)
RETURNS TABLE (n bigint, outcome text, place bigint, waits text)
LANGUAGE plpgsql AS $$
DECLARE
    _places bigint[];
    _asked record;
    _contact record;
    _waits record;
BEGIN
    PERFORM FROM mdm_contact WHERE id = ANY (_ids) ORDER BY key FOR UPDATE;
    IF NOT _one_by_one THEN
        _places := ARRAY(
            SELECT nextval('mdm_command_seq') FROM generate_series(1, cardinality(_ids))
        );
        RETURN QUERY
        WITH kept AS (
            INSERT INTO mdm_command AS m
                (enrollment, seq, rank, uuid, request_type, at, expires_at, body)
            SELECT c.key, _places[a.n], a.rank, a.uuid, a.request_type, a.at, a.expires_at, a.body
            FROM unnest(_ids, _uuids, _request_types, _ats, _ranks, _ends, _bodies)
                WITH ORDINALITY AS a (id, uuid, request_type, at, rank, expires_at, body, n)
            JOIN mdm_contact c ON c.id = a.id AND c.status <> 2
            ON CONFLICT (enrollment, uuid) DO NOTHING
            RETURNING m.enrollment, m.seq, m.rank, m.at, m.expires_at
        ), queued AS (
            INSERT INTO mdm_queue (enrollment, phase, rank, seq, expires_at)
            SELECT k.enrollment, 0, k.rank, k.seq, k.expires_at FROM kept k
        ), due AS (
            UPDATE mdm_contact c SET push_due_at = k.at
            FROM (SELECT enrollment, min(at) AS at FROM kept GROUP BY enrollment) k
            WHERE c.key = k.enrollment AND c.pushable
                AND (c.push_due_at IS NULL OR c.push_due_at > k.at)
        )
        SELECT a.n,
            CASE WHEN c.key IS NULL THEN 'not_enrolled'
                WHEN k.seq IS NULL THEN 'duplicate' ELSE 'queued' END,
            k.seq, NULL
        FROM unnest(_ids) WITH ORDINALITY AS a (id, n)
        LEFT JOIN mdm_contact c ON c.id = a.id AND c.status <> 2
        LEFT JOIN kept k ON k.seq = _places[a.n];
        RETURN;
    END IF;

    FOR _asked IN
        SELECT * FROM unnest(_ids, _uuids, _request_types, _ats, _ranks, _ends, _keys, _bodies)
            WITH ORDINALITY AS a (id, uuid, request_type, at, rank, expires_at, key, body, n)
        ORDER BY a.n
    LOOP
        n := _asked.n;
        place := NULL;
        waits := NULL;
        SELECT c.key, c.pushable INTO _contact
        FROM mdm_contact c WHERE c.id = _asked.id AND c.status <> 2;
        IF NOT FOUND THEN
            outcome := 'not_enrolled';
            RETURN NEXT;
            CONTINUE;
        END IF;
        PERFORM FROM mdm_command c WHERE c.enrollment = _contact.key AND c.uuid = _asked.uuid;
        IF FOUND THEN
            outcome := 'duplicate';
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF _asked.key IS NOT NULL THEN
            SELECT q.seq, q.expires_at INTO _waits FROM mdm_queue q
            WHERE q.enrollment = _contact.key AND q.key = _asked.key;
            IF FOUND AND _waits.expires_at <= _asked.at THEN
                PERFORM mdm_expire_of(ARRAY[_contact.key], _waits.seq, _asked.at, 1);
            ELSIF FOUND THEN
                outcome := 'merged';
                SELECT c.uuid INTO waits FROM mdm_command c
                WHERE c.enrollment = _contact.key AND c.seq = _waits.seq;
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        outcome := 'queued';
        place := nextval('mdm_command_seq');
        INSERT INTO mdm_command
            (enrollment, seq, rank, uuid, request_type, at, expires_at, key, body)
        VALUES (_contact.key, place, _asked.rank, _asked.uuid, _asked.request_type, _asked.at,
            _asked.expires_at, _asked.key, _asked.body);
        INSERT INTO mdm_queue (enrollment, phase, rank, seq, expires_at, key)
        VALUES (_contact.key, 0, _asked.rank, place, _asked.expires_at, _asked.key);
        UPDATE mdm_contact c SET push_due_at = _asked.at
        WHERE c.key = _contact.key AND c.pushable
            AND (c.push_due_at IS NULL OR c.push_due_at > _asked.at);
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE FUNCTION mdm_cancel(_id text, _uuid text, _at bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    _contact bigint;
    _command record;
BEGIN
    SELECT key INTO _contact FROM mdm_contact WHERE id = _id FOR UPDATE;
    SELECT rank, seq INTO _command FROM mdm_command WHERE enrollment = _contact AND uuid = _uuid;
    DELETE FROM mdm_queue
    WHERE enrollment = _contact AND phase IN (0, 1, 2)
        AND rank = _command.rank AND seq = _command.seq;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO mdm_result (enrollment, seq, at, expired) VALUES (_contact, _command.seq, _at, false);
    RETURN true;
END
$$;

CREATE FUNCTION mdm_clear(_ids text[], _at bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN mdm_cancel_all(ARRAY(
        SELECT key FROM mdm_contact WHERE id = ANY (_ids) ORDER BY key FOR UPDATE
    ), _at);
END
$$;

CREATE FUNCTION mdm_forget_finished(_before bigint, _most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    _gone bigint;
BEGIN
    WITH old AS (
        SELECT enrollment, seq FROM mdm_result
        WHERE at < _before ORDER BY at LIMIT _most FOR UPDATE SKIP LOCKED
    ), commands AS (
        DELETE FROM mdm_command c USING old o WHERE c.enrollment = o.enrollment AND c.seq = o.seq
    )
    DELETE FROM mdm_result r USING old o WHERE r.enrollment = o.enrollment AND r.seq = o.seq;
    GET DIAGNOSTICS _gone = ROW_COUNT;
    RETURN _gone;
END
$$;

-- Chooses and leases. Whom somebody else has locked is being pushed to, or calls right now.
CREATE FUNCTION mdm_due_pushes(_now bigint, _lease bigint, _most bigint)
RETURNS TABLE (id text, topic text, push_token bytea, push_magic bytea)
LANGUAGE plpgsql AS $$
DECLARE
    _due bigint[];
BEGIN
    _due := ARRAY(
        SELECT c.key FROM mdm_contact c WHERE c.push_due_at <= _now
        ORDER BY c.push_due_at, c.key LIMIT _most FOR UPDATE SKIP LOCKED
    );
    UPDATE mdm_contact c SET push_due_at = _lease WHERE c.key = ANY (_due);
    RETURN QUERY
    SELECT e.id, e.topic, e.push_token, e.push_magic
    FROM unnest(_due) WITH ORDINALITY AS d (key, n) JOIN mdm_enrollment e ON e.contact = d.key
    ORDER BY d.n;
END
$$;

CREATE FUNCTION mdm_settle_pushes(
    _lease bigint, _ids text[], _tokens bytea[], _nexts bigint[], _deaths bigint[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    _devices bigint[];
BEGIN
    PERFORM FROM mdm_contact
    WHERE key IN (
        SELECT c.key FROM mdm_contact c WHERE c.id = ANY (_ids)
        UNION
        SELECT c.device FROM unnest(_ids, _deaths) AS p (id, dead_at)
        JOIN mdm_contact c ON c.id = p.id WHERE p.dead_at IS NOT NULL
    )
    ORDER BY key FOR UPDATE;
    UPDATE mdm_contact c SET push_due_at = p.next
    FROM unnest(_ids, _nexts) AS p (id, next)
    WHERE c.id = p.id AND c.push_due_at = _lease;
    WITH dead AS (
        UPDATE mdm_contact c SET push_dead_at = p.dead_at, pushable = false, push_due_at = NULL
        FROM unnest(_ids, _tokens, _deaths) AS p (id, token, dead_at), mdm_enrollment e
        WHERE c.id = p.id AND e.contact = c.key AND e.push_token = p.token
            AND p.dead_at IS NOT NULL AND c.push_dead_at IS NULL
        RETURNING c.device
    )
    SELECT array_agg(device) INTO _devices FROM dead;
    UPDATE mdm_contact c SET version = c.version + d.times
    FROM (SELECT device, count(*) AS times FROM unnest(_devices) AS device GROUP BY device) d
    WHERE c.key = d.device;
END
$$;

CREATE FUNCTION mdm_wake(_ids text[], _at bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    _woken bigint[];
BEGIN
    _woken := ARRAY(
        SELECT key FROM mdm_contact
        WHERE id = ANY (_ids) AND pushable AND (push_due_at IS NULL OR push_due_at > _at)
        ORDER BY key FOR UPDATE
    );
    UPDATE mdm_contact SET push_due_at = _at WHERE key = ANY (_woken);
END
$$;

-- Commits a step of a check-in: the device and the user as they are from now on, if they change, the device first.
-- Every refusal comes before the first change.
CREATE FUNCTION mdm_commit(
    _device text, _id text, _version bigint, _at bigint,
    -- 0 nothing, 1 what waits for _id is cancelled, 2 for the device and its users, who are disabled.
    _cascade smallint, _wakes boolean, _changes_device boolean,
    _ids text[], _statuses smallint[], _certificates bytea[], _pushables boolean[],
    _topics text[], _tokens bytea[], _magics bytea[], _tallies bigint[], _awaiting boolean[],
    _serial_numbers text[], _short_names text[], _owners text[], _licences text[],
    _reports text[], _invitations text[], _decisions text[], _authenticates bytea[],
    _authenticated_ats bigint[], _enrolled_ats bigint[], _disabled_ats bigint[],
    _seen_ats bigint[], _dead_ats bigint[], _unlock_tokens bytea[], _bootstrap_tokens bytea[],
    _bootstrap_certificates bytea[], _bootstrap_former boolean[],
    -- Who has a place where, of those in _ids; and in which pools there has to be one left.
    _holders text[], _pools text[], _claims text[], _limits bigint[],
    _invitation text, _spent_at bigint,
    _escrow_holders text[], _escrow_kinds text[], _escrow_ats bigint[], _escrow_sources text[],
    _escrow_values bytea[],
    _events_of text[], _event_ats bigint[], _events text[],
    OUT outcome text, OUT full_pool text
)
LANGUAGE plpgsql AS $$
DECLARE
    _device_key bigint;
    _key bigint;
    _is_known boolean;
    _pinned_to bigint;
    _invited record;
    _touched text[];
    _family bigint[];
BEGIN
    outcome := 'conflict';
    SELECT key INTO _device_key FROM mdm_contact WHERE id = _device;
    _is_known := FOUND;
    IF _is_known THEN
        -- Polls of the device and its users wait, so that none of them sees a half.
        _family := ARRAY(
            SELECT key FROM mdm_contact
            WHERE key IN (SELECT contact FROM mdm_enrollment WHERE device = _device_key)
            ORDER BY key FOR UPDATE
        );
        PERFORM FROM mdm_contact WHERE key = _device_key AND version = _version;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    ELSIF _version <> 0 OR NOT _changes_device THEN
        RETURN;
    END IF;
    IF _changes_device AND _certificates[1] IS NOT NULL THEN
        SELECT device INTO _pinned_to FROM mdm_certificate WHERE sha256 = _certificates[1];
        IF FOUND AND _pinned_to IS DISTINCT FROM _device_key THEN
            RETURN;
        END IF;
    END IF;
    IF _invitation IS NOT NULL THEN
        SELECT spent_by, expires_at INTO _invited
        FROM mdm_invitation WHERE id = _invitation FOR UPDATE;
        IF NOT FOUND OR _invited.spent_by <> _device
            OR (_invited.spent_by IS NULL AND _invited.expires_at <= _spent_at)
        THEN
            outcome := 'invitation_spent';
            RETURN;
        END IF;
    END IF;
    _touched := ARRAY(
        SELECT DISTINCT t.pool FROM (
            SELECT w.pool FROM unnest(_holders, _pools) AS w (holder, pool)
            WHERE NOT EXISTS (SELECT FROM mdm_place p WHERE p.pool = w.pool AND p.holder = w.holder)
            UNION ALL
            SELECT p.pool FROM mdm_place p
            WHERE p.holder = ANY (_ids) AND NOT EXISTS (
                SELECT FROM unnest(_holders, _pools) AS w (holder, pool)
                WHERE w.pool = p.pool AND w.holder = p.holder)
            UNION ALL
            SELECT c.pool FROM unnest(_claims) AS c (pool)
            WHERE NOT EXISTS (SELECT FROM mdm_place p WHERE p.pool = c.pool AND p.holder = _device)
        ) AS t (pool)
        ORDER BY t.pool
    );
    IF cardinality(_touched) > 0 THEN
        INSERT INTO mdm_pool (name, taken) SELECT name, 0 FROM unnest(_touched) AS t (name)
        ORDER BY name ON CONFLICT (name) DO NOTHING;
        PERFORM FROM mdm_pool WHERE name = ANY (_touched) ORDER BY name FOR UPDATE;
        SELECT c.pool INTO full_pool
        FROM unnest(_claims, _limits) WITH ORDINALITY AS c (pool, places, n)
        JOIN mdm_pool p ON p.name = c.pool
        WHERE p.taken >= c.places
            AND NOT EXISTS (SELECT FROM mdm_place h WHERE h.pool = c.pool AND h.holder = _device)
        ORDER BY c.n LIMIT 1;
        IF FOUND THEN
            outcome := 'pool_full';
            RETURN;
        END IF;
    END IF;

    IF _is_known AND _cascade = 2 THEN
        PERFORM mdm_cancel_all(_family, _at);
        UPDATE mdm_enrollment SET
            disabled_at = _at, topic = NULL, push_token = NULL, push_magic = NULL
        WHERE contact IN (
            SELECT key FROM mdm_contact
            WHERE key = ANY (_family) AND key <> _device_key AND status <> 2
        );
        UPDATE mdm_contact SET
            status = 2, pushable = false, push_due_at = NULL, push_dead_at = NULL
        WHERE key = ANY (_family) AND key <> _device_key AND status <> 2;
    ELSIF _is_known AND _cascade = 1 THEN
        PERFORM mdm_cancel_all(ARRAY(SELECT key FROM mdm_contact WHERE id = _id), _at);
    END IF;

    FOR _n IN 1 .. cardinality(_ids) LOOP
        _key := NULL;
        -- A device that was not known may be by now: then the step is asked for again and sees that.
        IF _is_known OR _n > 1 THEN
            UPDATE mdm_contact SET
                status = _statuses[_n], certificate = _certificates[_n],
                pushable = _pushables[_n],
                last_seen_at = greatest(last_seen_at, _seen_ats[_n]),
                push_due_at = CASE WHEN _pushables[_n] THEN push_due_at END,
                push_dead_at = _dead_ats[_n]
            WHERE id = _ids[_n]
            RETURNING key INTO _key;
        END IF;
        IF _key IS NULL THEN
            _key := nextval('mdm_contact_key');
            _device_key := coalesce(_device_key, _key);
            INSERT INTO mdm_contact
                (key, id, device, version, status, certificate, pushable, last_seen_at, push_dead_at)
            VALUES (_key, _ids[_n], _device_key, 0, _statuses[_n], _certificates[_n],
                _pushables[_n], _seen_ats[_n], _dead_ats[_n]);
        END IF;
        INSERT INTO mdm_enrollment (
            contact, id, device, owner, serial_number, user_short_name, topic, push_token,
            push_magic, token_update_tally, awaiting_configuration, licences, reported, invitation,
            decision, authenticated_at, enrolled_at, disabled_at, unlock_token, bootstrap_token,
            bootstrap_token_certificate, bootstrap_token_is_former, authenticate)
        VALUES (
            _key, _ids[_n], _device_key, _owners[_n], _serial_numbers[_n], _short_names[_n],
            _topics[_n], _tokens[_n], _magics[_n], _tallies[_n], _awaiting[_n], _licences[_n],
            _reports[_n]::jsonb, _invitations[_n], _decisions[_n], _authenticated_ats[_n],
            _enrolled_ats[_n], _disabled_ats[_n], _unlock_tokens[_n], _bootstrap_tokens[_n],
            _bootstrap_certificates[_n], _bootstrap_former[_n], _authenticates[_n])
        ON CONFLICT (contact) DO UPDATE SET
            owner = excluded.owner, serial_number = excluded.serial_number,
            user_short_name = excluded.user_short_name, topic = excluded.topic,
            push_token = excluded.push_token, push_magic = excluded.push_magic,
            token_update_tally = excluded.token_update_tally,
            awaiting_configuration = excluded.awaiting_configuration,
            licences = excluded.licences, reported = excluded.reported,
            invitation = excluded.invitation, decision = excluded.decision,
            authenticated_at = excluded.authenticated_at, enrolled_at = excluded.enrolled_at,
            disabled_at = excluded.disabled_at, unlock_token = excluded.unlock_token,
            bootstrap_token = excluded.bootstrap_token,
            bootstrap_token_certificate = excluded.bootstrap_token_certificate,
            bootstrap_token_is_former = excluded.bootstrap_token_is_former,
            authenticate = excluded.authenticate;
    END LOOP;
    -- Where another device was given it in this moment, the step is asked for again and sees that.
    IF _changes_device AND _certificates[1] IS NOT NULL AND _pinned_to IS NULL THEN
        INSERT INTO mdm_certificate (sha256, device) VALUES (_certificates[1], _device_key);
    END IF;
    UPDATE mdm_contact SET version = _version + 1 WHERE key = _device_key;
    IF _wakes THEN
        UPDATE mdm_contact c SET push_due_at = least(c.push_due_at, _at)
        WHERE c.id = _id AND c.pushable AND EXISTS (SELECT FROM mdm_queue WHERE enrollment = c.key);
    END IF;
    IF _invitation IS NOT NULL THEN
        UPDATE mdm_invitation SET spent_by = _device, spent_at = coalesce(spent_at, _spent_at)
        WHERE id = _invitation;
    END IF;

    IF cardinality(_touched) > 0 THEN
        DELETE FROM mdm_place p
        WHERE p.holder = ANY (_ids) AND NOT EXISTS (
            SELECT FROM unnest(_holders, _pools) AS w (holder, pool)
            WHERE w.pool = p.pool AND w.holder = p.holder);
        INSERT INTO mdm_place (pool, holder)
        SELECT DISTINCT w.pool, w.holder FROM unnest(_holders, _pools) AS w (holder, pool)
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM mdm_tell(_events_of, _event_ats, _events);
    PERFORM mdm_keep(_escrow_holders, _escrow_kinds, _escrow_ats, _escrow_sources, _escrow_values);
    outcome := 'committed';
END
$$;

-- A place and its count change together.
CREATE FUNCTION mdm_count_place() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE mdm_pool SET taken = taken + 1 WHERE name = NEW.pool;
    ELSE
        UPDATE mdm_pool SET taken = taken - 1 WHERE name = OLD.pool;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER mdm_count_places AFTER INSERT OR DELETE ON mdm_place
FOR EACH ROW EXECUTE FUNCTION mdm_count_place();
