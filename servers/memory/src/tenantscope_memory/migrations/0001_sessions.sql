-- Short-term memory: sessions, their branches, and the events on them. Rows are only ever added to.

CREATE TABLE session (
    tenant_id text NOT NULL,
    actor text NOT NULL,
    session text NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,  -- locked by every writer, so that no number is given twice
    began_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, actor, session)
);
SELECT protect('session');

-- A branch is its parent's events up to fork_position, and its own from there on.
CREATE TABLE branch (
    tenant_id text NOT NULL,
    actor text NOT NULL,
    session text NOT NULL,
    branch text NOT NULL,
    parent text,
    fork_seq bigint,
    fork_position integer NOT NULL DEFAULT 0,
    tip_position integer NOT NULL,
    stamp text NOT NULL,  -- a hash over all that the branch holds
    PRIMARY KEY (tenant_id, actor, session, branch),
    FOREIGN KEY (tenant_id, actor, session) REFERENCES session ON DELETE CASCADE
);
SELECT protect('branch');

CREATE TABLE event (
    tenant_id text NOT NULL,
    actor text NOT NULL,
    session text NOT NULL,
    seq bigint NOT NULL,
    branch text NOT NULL,
    position integer NOT NULL,  -- on the branch, from its root, without a gap
    key text NOT NULL,
    digest text NOT NULL,
    role text NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
    name text,
    text text NOT NULL,
    media_type text,
    data bytea,
    size integer NOT NULL,  -- bytes of the event in an answer, without its data
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, actor, session, seq),
    UNIQUE (tenant_id, actor, session, branch, position),
    UNIQUE (tenant_id, actor, session, key),
    FOREIGN KEY (tenant_id, actor, session, branch) REFERENCES branch ON DELETE CASCADE
);
SELECT protect('event');
