-- Long-term memory. A record is never changed: what supersedes it says so in a row of its own, with the time from which
-- it holds and the time at which that became known.

CREATE TABLE record (
    tenant_id text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    actor text NOT NULL,  -- empty: shared by all actors of the tenant
    namespace text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fact', 'preference', 'episode', 'procedure')),
    subject text,
    text text NOT NULL,
    importance real NOT NULL CHECK (importance BETWEEN 0 AND 1),
    digest text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz CHECK (valid_to > valid_from),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX record_by_subject ON record (tenant_id, actor, namespace, kind, subject, valid_from);
CREATE INDEX record_by_digest ON record (tenant_id, digest);
SELECT protect('record');

CREATE TABLE supersession (
    tenant_id text NOT NULL,
    record uuid NOT NULL,
    superseded_by uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, record, superseded_by),
    FOREIGN KEY (tenant_id, record) REFERENCES record ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, superseded_by) REFERENCES record ON DELETE CASCADE
);
CREATE INDEX supersession_by_successor ON supersession (tenant_id, superseded_by);
SELECT protect('supersession');

-- An event cannot go while a record that was made of it stays.
CREATE TABLE record_source (
    tenant_id text NOT NULL,
    record uuid NOT NULL,
    actor text NOT NULL,
    session text NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (tenant_id, record, actor, session, seq),
    FOREIGN KEY (tenant_id, record) REFERENCES record ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, actor, session, seq) REFERENCES event
);
CREATE INDEX record_source_by_event ON record_source (tenant_id, actor, session, seq);
SELECT protect('record_source');
