-- The ledger: who may ask what, what was asked, what was answered, and what money moved.
-- Apply before the code of the same release is started. Forward only; never edited once released.
--
-- Three rules shape every table: * what is recorded is never updated or deleted (triggers at the
-- end refuse it, for the owner too); * balances are moved by the insertion of postings and by
-- nothing else, so they are the sum of the entries; * money is a bigint of minor units.

CREATE SCHEMA reporting;

-- One row: which ledger this is. A test ledger may be filled with invented money; the mark is set
-- at birth.
CREATE TABLE ledger.identity (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ledger_id  uuid NOT NULL,
    is_test    boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The lives of this ledger. A restore or a failover starts a new one, so that answers decided anew
-- get event ids of their own. A record belongs to the last timeline whose from_sequence is not
-- above its ledger_sequence.
CREATE TABLE ledger.timeline (
    timeline_id   integer PRIMARY KEY,
    token         uuid NOT NULL UNIQUE,
    from_sequence bigint NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    server        text NOT NULL,
    reason        text NOT NULL
);

-- The serialisation order of all decisions: drawn after the locks are held. Gaps mean rolled-back
-- attempts.
CREATE SEQUENCE ledger.ledger_sequence AS bigint START 1;

CREATE TABLE ledger.currency (
    code   text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'),
    digits smallint NOT NULL CHECK (digits BETWEEN 0 AND 4)
);

-- One log that commands were read from. A topic that was recreated is another source, with another
-- incarnation.
CREATE TABLE ledger.source (
    source_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text NOT NULL,
    partition   integer NOT NULL CHECK (partition >= 0),
    incarnation uuid NOT NULL UNIQUE,
    opened_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_by   text NOT NULL,
    reason      text NOT NULL
);

-- How far each partition has been posted (next_offset) and answered (delivered_offset), and who may
-- go on (claim). last_offset and last_digest identify the record just before next_offset: another
-- record there is another log.
CREATE TABLE ledger.position (
    topic            text NOT NULL,
    partition        integer NOT NULL,
    source_id        integer NOT NULL UNIQUE REFERENCES ledger.source,
    claim            uuid NOT NULL,
    claimed_by       text NOT NULL,
    claimed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    first_offset     bigint NOT NULL CHECK (first_offset >= 0),
    next_offset      bigint NOT NULL CHECK (next_offset >= first_offset),
    delivered_offset bigint NOT NULL,
    last_offset      bigint,
    last_digest      bytea,
    PRIMARY KEY (topic, partition),
    CONSTRAINT delivered_is_posted CHECK (delivered_offset BETWEEN first_offset AND next_offset),
    CONSTRAINT last_is_before_next CHECK (last_offset < next_offset),
    CONSTRAINT last_is_whole CHECK ((last_offset IS NULL) = (last_digest IS NULL))
) WITH (fillfactor = 50);

-- Checked when a name comes in, not again on each change of the balance: that is what the domain is
-- for.
CREATE DOMAIN ledger.account_name AS text CHECK (VALUE ~ '^[A-Za-z0-9._:-]{1,64}$');

CREATE TABLE ledger.account (
    account_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            ledger.account_name NOT NULL CONSTRAINT account_name_once UNIQUE,
    currency        text NOT NULL REFERENCES ledger.currency,
    kind            text NOT NULL CHECK (kind IN ('customer', 'internal')),
    status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'frozen', 'closed')),
    posted          bigint NOT NULL DEFAULT 0,
    held            bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    overdraft_limit bigint CHECK (overdraft_limit >= 0),
    opened_at       timestamptz NOT NULL,
    CONSTRAINT internal_has_no_limit CHECK ((kind = 'internal') = (overdraft_limit IS NULL)),
    CONSTRAINT balance_within_bounds
        CHECK (posted BETWEEN -9000000000000000000 AND 9000000000000000000),
    CONSTRAINT balance_within_limit
        CHECK (overdraft_limit IS NULL OR posted - held + overdraft_limit >= 0)
) WITH (fillfactor = 50);

-- Every transaction id ever decided, for ever: narrow, spread by id, never archived.
CREATE TABLE ledger.transaction (
    transaction_id      uuid NOT NULL,
    fingerprint         bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    fingerprint_version smallint NOT NULL,
    ledger_sequence     bigint NOT NULL,
    decided_at          timestamptz NOT NULL,
    CONSTRAINT transaction_id_once PRIMARY KEY (transaction_id)
) PARTITION BY HASH (transaction_id);

-- Money that moved: one row names both sides, so it is balanced by its shape. The balances are
-- those after it.
CREATE TABLE ledger.posting (
    ledger_sequence         bigint NOT NULL,
    decided_at              timestamptz NOT NULL,
    transaction_id          uuid NOT NULL,
    source_id               integer NOT NULL,
    source_offset           bigint NOT NULL,
    debit_account_id        bigint NOT NULL,
    credit_account_id       bigint NOT NULL,
    amount                  bigint NOT NULL,
    debit_balance           bigint NOT NULL,
    credit_balance          bigint NOT NULL,
    value_date              date NOT NULL,
    currency                text NOT NULL,
    type                    text NOT NULL,
    channel                 text NOT NULL,
    reference               text,
    original_transaction_id uuid,
    metadata                text,
    details                 text,
    CONSTRAINT posting_once PRIMARY KEY (ledger_sequence, decided_at),
    CONSTRAINT posting_moves_money CHECK (amount > 0),
    CONSTRAINT posting_has_two_sides CHECK (debit_account_id <> credit_account_id)
) PARTITION BY RANGE (decided_at);

-- How much of a posting has been given back. The bound is the row's, so two racing reversals can't
-- both pass.
CREATE TABLE ledger.reversal_total (
    original_transaction_id uuid PRIMARY KEY,
    original_amount         bigint NOT NULL,
    reversed_amount         bigint NOT NULL CHECK (reversed_amount > 0),
    CONSTRAINT reversed_within_original CHECK (reversed_amount <= original_amount)
) WITH (fillfactor = 50);

-- Commands that were carried out without moving money: openings.
CREATE TABLE ledger.account_change (
    ledger_sequence bigint PRIMARY KEY,
    decided_at      timestamptz NOT NULL,
    transaction_id  uuid NOT NULL,
    source_id       integer NOT NULL,
    source_offset   bigint NOT NULL,
    account         text NOT NULL,
    currency        text NOT NULL,
    type            text NOT NULL,
    channel         text NOT NULL,
    reference       text,
    metadata        text,
    details         text NOT NULL
);

-- Commands that were refused, with what they asked for as it was answered. A refused id stays
-- refused.
CREATE TABLE ledger.refusal (
    ledger_sequence bigint NOT NULL,
    decided_at      timestamptz NOT NULL,
    transaction_id  uuid NOT NULL,
    source_id       integer NOT NULL,
    source_offset   bigint NOT NULL,
    reason          text NOT NULL CHECK (reason <> ''),
    account         text,
    debit_account   text,
    credit_account  text,
    amount          text,
    currency        text,
    type            text NOT NULL,
    channel         text NOT NULL,
    reference       text,
    metadata        text,
    details         text,
    CONSTRAINT refusal_once PRIMARY KEY (ledger_sequence, decided_at)
) PARTITION BY RANGE (decided_at);

-- The same id with the same content at another position: answered with the first outcome.
CREATE TABLE ledger.repeat (
    source_id       integer NOT NULL,
    source_offset   bigint NOT NULL,
    transaction_id  uuid NOT NULL,
    ledger_sequence bigint NOT NULL,
    timeline_id     integer NOT NULL,
    recorded_at     timestamptz NOT NULL,
    CONSTRAINT repeat_once PRIMARY KEY (source_id, source_offset)
);

-- The same id with other content: nothing moved; differences names each field with both values.
CREATE TABLE ledger.conflict (
    source_id      integer NOT NULL,
    source_offset  bigint NOT NULL,
    transaction_id uuid NOT NULL,
    first_sequence bigint NOT NULL,
    timeline_id    integer NOT NULL,
    decided_at     timestamptz NOT NULL,
    type           text NOT NULL,
    channel        text NOT NULL,
    differences    jsonb NOT NULL,
    CONSTRAINT conflict_once PRIMARY KEY (source_id, source_offset)
);

-- Messages that could not be decided, with the bytes as they came.
CREATE TABLE ledger.dead_letter (
    source_id      integer NOT NULL,
    source_offset  bigint NOT NULL,
    reason         text NOT NULL CHECK (reason <> ''),
    pointer        text NOT NULL,
    detail         text NOT NULL,
    transaction_id uuid,
    channel        text,
    key            bytea,
    value          bytea,
    headers        text NOT NULL,
    timeline_id    integer NOT NULL,
    received_at    timestamptz NOT NULL,
    CONSTRAINT dead_letter_once PRIMARY KEY (source_id, source_offset)
);

-- Offsets that a read_committed consumer never sees: transaction markers, aborted records,
-- compacted records.
CREATE TABLE ledger.hole (
    source_id   integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset   bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT hole_once PRIMARY KEY (source_id, from_offset),
    CONSTRAINT hole_is_not_empty CHECK (to_offset > from_offset)
);

-- What an operator decided about a partition that had stopped. Nothing starts again without such a
-- row.
CREATE TABLE ledger.operator_decision (
    decision_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_by    text NOT NULL CHECK (decided_by <> ''),
    topic         text NOT NULL,
    partition     integer NOT NULL,
    old_source_id integer,
    old_next      bigint,
    new_source_id integer NOT NULL,
    new_next      bigint NOT NULL,
    reason        text NOT NULL CHECK (reason <> '')
);
