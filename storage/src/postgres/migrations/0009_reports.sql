-- What a device says again of itself is not written: its news alone move its version.
CREATE OR REPLACE FUNCTION mdm_report(
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
    _known jsonb;
    _is_news boolean;
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
            SELECT reported INTO _known FROM mdm_enrollment WHERE contact = _self.key;
            -- A later time alone moves no version, and is not written each time.
            _is_news := _known IS NULL OR (_known || _reported::jsonb) - 'at' <> _known - 'at';
            IF _is_news OR (_known ->> 'at')::bigint < _seen_since THEN
                UPDATE mdm_enrollment SET reported = coalesce(_known, '{}') || _reported::jsonb
                WHERE contact = _self.key;
            END IF;
            IF _is_news THEN
                UPDATE mdm_contact SET version = version + 1 WHERE id = _device;
            END IF;
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
