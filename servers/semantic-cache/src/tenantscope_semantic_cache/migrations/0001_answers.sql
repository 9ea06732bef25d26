-- Answers, the prompts that lead to them, and what was counted. Everything is keyed by its tenant first.

-- One row a tenant. Every write of a tenant's entries takes it first, so a tenant's writes come one after another.
-- version never goes back, evicted_until is the latest time until which a copy of an evicted entry may be trusted.
CREATE TABLE ledger (
  tenant_id text PRIMARY KEY,
  version bigint NOT NULL,
  entries bigint NOT NULL CHECK (entries >= 0),
  evicted_until timestamptz NOT NULL
);
SELECT protect('ledger');

CREATE TABLE answer (
  tenant_id text NOT NULL,
  answer_id bytea NOT NULL,          -- SHA-256 of the scope and the text
  text text NOT NULL,
  uses bigint NOT NULL CHECK (uses >= 0),
  PRIMARY KEY (tenant_id, answer_id)
) PARTITION BY HASH (tenant_id);
CREATE INDEX answer_unused ON answer (tenant_id) WHERE uses = 0;
SELECT protect('answer');

CREATE TABLE entry (
  tenant_id text NOT NULL,
  fingerprint bytea NOT NULL,        -- SHA-256 of the scope and the normalised prompt
  among_all bytea NOT NULL,          -- the fingerprint that the same prompt has among what all users share
  shadowed boolean NOT NULL,         -- shared, and a user has an answer of its own to the same prompt
  scope bytea NOT NULL,              -- SHA-256 of the scope
  entry_id bytea NOT NULL,
  answer_id bytea NOT NULL,
  version bigint NOT NULL,
  prompt text NOT NULL,
  embedder text,
  embedding public.vector,
  model text NOT NULL,
  subject text NOT NULL,
  agent text,
  shared boolean NOT NULL,
  tokens_in bigint,
  tokens_out bigint,
  cost numeric(18, 9),
  currency text,
  latency_ms bigint,
  stored_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  copied_until timestamptz NOT NULL, -- until when a copy of this answer may be trusted
  stale_until timestamptz NOT NULL,  -- until when a copy of a former answer may be trusted
  CHECK ((embedder IS NULL) = (embedding IS NULL)),
  CHECK ((cost IS NULL) = (currency IS NULL)),
  PRIMARY KEY (tenant_id, fingerprint),
  FOREIGN KEY (tenant_id, answer_id) REFERENCES answer (tenant_id, answer_id)
) PARTITION BY HASH (tenant_id);
-- Vectors stay in their row: compared one by one, they must not cost a look-up each.
ALTER TABLE entry ALTER COLUMN embedding SET STORAGE MAIN;
CREATE UNIQUE INDEX entry_by_id ON entry (tenant_id, entry_id);
CREATE INDEX entry_by_answer ON entry (tenant_id, answer_id);
CREATE INDEX entry_among_all ON entry (tenant_id, among_all);
CREATE INDEX entry_by_expiry ON entry (tenant_id, expires_at);
CREATE INDEX entry_to_compare ON entry (tenant_id, scope, embedder) WHERE embedder IS NOT NULL;
SELECT protect('entry');

-- Room beside each row, so that noting a copy moves no index.
DO $$
BEGIN
  FOR n IN 0..15 LOOP
    EXECUTE format('CREATE TABLE answer_%s PARTITION OF answer FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n);
    EXECUTE format('CREATE TABLE entry_%s PARTITION OF entry FOR VALUES WITH (MODULUS 16, REMAINDER %s) '
                   'WITH (fillfactor = 85)', n, n);
    PERFORM protect(format('answer_%s', n)::regclass);
    PERFORM protect(format('entry_%s', n)::regclass);
  END LOOP;
END $$;

CREATE TABLE usage_day (
  tenant_id text NOT NULL,
  day date NOT NULL,
  model text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('exact', 'semantic', 'miss')),
  skipped text NOT NULL,             -- why meanings were not compared, '' where they were or need not be
  currency text NOT NULL,
  lookups bigint NOT NULL,
  tokens_in bigint NOT NULL,
  tokens_out bigint NOT NULL,
  cost numeric NOT NULL,
  latency_ms bigint NOT NULL,
  PRIMARY KEY (tenant_id, day, model, outcome, skipped, currency)
);
SELECT protect('usage_day');

-- Batches of counts that arrived, so that one sent twice counts once.
CREATE TABLE counted_batch (
  tenant_id text NOT NULL,
  batch bytea NOT NULL,
  counted_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, batch)
);
CREATE INDEX counted_batch_by_time ON counted_batch (tenant_id, counted_at);
SELECT protect('counted_batch');
