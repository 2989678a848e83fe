-- The record of what was applied. Comes before everything else, because applying a migration writes
-- a row here.

CREATE SCHEMA ledger;

CREATE TABLE ledger.migration (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
