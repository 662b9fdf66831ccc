-- A hold that was never begun costs nothing; default budgets have a ceiling together; totals of the past are kept once checked.

-- What the operator set for all organisations; a row that is missing means no bound.
CREATE TABLE policy (
    name        text PRIMARY KEY,
    amount_nano bigint NOT NULL CHECK (amount_nano >= 0)
);

CREATE INDEX budget_default ON budget (organisation_id, id) WHERE is_default;

-- How far each check of the ledger has come: everything before `until` was right and is summed up in checked_total.
CREATE TABLE invariant_check (
    name       text PRIMARY KEY,
    until      timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    checked_at timestamptz
);

CREATE TABLE checked_balance (
    account     uuid PRIMARY KEY,
    amount_nano numeric NOT NULL
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
        REVOKE DELETE, TRUNCATE ON invariant_check, checked_balance FROM billing_app;
    END IF;
END $$;
