-- What callers name their calls of `remember` by, so that one sent again late is known whatever was written in between.

CREATE TABLE record_key (
    tenant_id text NOT NULL,
    actor text NOT NULL,
    key text NOT NULL,
    record uuid NOT NULL,
    PRIMARY KEY (tenant_id, actor, key),
    FOREIGN KEY (tenant_id, record) REFERENCES record ON DELETE CASCADE
);
CREATE INDEX record_key_by_record ON record_key (tenant_id, record);
SELECT protect('record_key');
