-- What recall searches: a row for each turn of a conversation and each record, gone when that is gone.
-- No GIN index on `words`: row-level security keeps the planner from using one (docs/decisions/0015).

CREATE TABLE passage (
    tenant_id text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    actor text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('turn', 'fact', 'preference', 'episode', 'procedure')),
    namespace text NOT NULL DEFAULT '',
    session text,
    seq bigint,
    branch text,
    position integer,
    record uuid,
    speaker text NOT NULL DEFAULT '',
    at timestamptz NOT NULL,  -- of a record, when it begins to hold
    valid_to timestamptz,
    recorded_at timestamptz NOT NULL,
    importance real NOT NULL,
    length integer NOT NULL,
    words tsvector NOT NULL,
    embedder text,
    embedding public.vector,
    PRIMARY KEY (tenant_id, id),
    CHECK ((record IS NULL) = (kind = 'turn') AND (seq IS NULL) = (kind <> 'turn')),
    CHECK ((embedder IS NULL) = (embedding IS NULL)),
    FOREIGN KEY (tenant_id, actor, session, seq) REFERENCES event ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, record) REFERENCES record ON DELETE CASCADE
) PARTITION BY HASH (tenant_id);

ALTER TABLE passage ALTER embedding SET STORAGE MAIN;
CREATE INDEX passage_by_time ON passage (tenant_id, actor, at);
CREATE INDEX passage_by_embedder ON passage (tenant_id, actor, embedder);
CREATE UNIQUE INDEX passage_by_event ON passage (tenant_id, actor, session, seq) WHERE seq IS NOT NULL;
CREATE INDEX passage_by_place ON passage (tenant_id, actor, session, branch, position) WHERE seq IS NOT NULL;
CREATE UNIQUE INDEX passage_by_record ON passage (tenant_id, record) WHERE record IS NOT NULL;
CREATE INDEX passage_vector_256 ON passage USING hnsw ((embedding::public.vector(256)) public.vector_cosine_ops)
    WHERE public.vector_dims(embedding) = 256;
CREATE INDEX passage_vector_384 ON passage USING hnsw ((embedding::public.vector(384)) public.vector_cosine_ops)
    WHERE public.vector_dims(embedding) = 384;
CREATE INDEX passage_vector_512 ON passage USING hnsw ((embedding::public.vector(512)) public.vector_cosine_ops)
    WHERE public.vector_dims(embedding) = 512;
CREATE INDEX passage_vector_1024 ON passage USING hnsw ((embedding::public.vector(1024)) public.vector_cosine_ops)
    WHERE public.vector_dims(embedding) = 1024;

DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE passage_%s PARTITION OF passage FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part
        );
        PERFORM protect(format('passage_%s', part)::regclass);
    END LOOP;
END $$;
SELECT protect('passage');

-- The terms of a question as queries of one lexeme each, in the order in which they are asked; never parsed as syntax.
CREATE FUNCTION query_terms(config regconfig, question text, most integer) RETURNS tsquery[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(
        SELECT ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery
        FROM unnest(to_tsvector(config, question)) ORDER BY positions[1], lexeme LIMIT most
    )
$$;

CREATE AGGREGATE any_of(tsquery) (SFUNC = tsquery_or, STYPE = tsquery);
