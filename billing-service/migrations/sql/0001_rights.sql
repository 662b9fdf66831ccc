-- What the service's role may not do: rewrite history, or make tables.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_app') THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON transfer, transfer_default, audit, usage_key FROM billing_app;
        REVOKE UPDATE, DELETE, TRUNCATE ON price FROM billing_app;
        GRANT UPDATE (effective_to) ON price TO billing_app;
        REVOKE DELETE, TRUNCATE ON account, book, usage_event, usage_rollup FROM billing_app;
        REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON schema_info FROM billing_app;
    END IF;
END $$;
