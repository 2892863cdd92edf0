-- Watches what a migration does to tables that were there before it. Each DDL statement is looked at when it ends: does
-- this transaction hold a lock that keeps others from writing to (or reading) a table, and has it read all of the
-- table's rows since? Then everybody else waits for as long as that takes. What is only brief, as a new column, is fine.
CREATE SCHEMA verify;
CREATE TABLE verify.watched (relation oid PRIMARY KEY, scans bigint);
CREATE TABLE verify.found (relation oid, name text, mode text, statement text);

CREATE FUNCTION verify.heaviest(relation_id oid) RETURNS text LANGUAGE sql AS $$
    SELECT mode FROM pg_locks
    WHERE pid = pg_backend_pid() AND granted AND relation = relation_id
        AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    ORDER BY position(mode IN 'ShareLock ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock') DESC LIMIT 1
$$;

CREATE FUNCTION verify.scans(relation_id oid) RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce((SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relid = relation_id), 0)
$$;

CREATE FUNCTION verify.before() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What was read before the table was locked kept nobody waiting.
    UPDATE verify.watched SET scans = verify.scans(relation) WHERE verify.heaviest(relation) IS NULL;
END $$;

CREATE FUNCTION verify.after() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO verify.found
    SELECT relation, relation::regclass::text, verify.heaviest(relation), current_query()
    FROM verify.watched WHERE verify.heaviest(relation) IS NOT NULL AND verify.scans(relation) > scans;
    UPDATE verify.watched SET scans = verify.scans(relation);
END $$;

CREATE EVENT TRIGGER verify_before ON ddl_command_start EXECUTE FUNCTION verify.before();
CREATE EVENT TRIGGER verify_after ON ddl_command_end EXECUTE FUNCTION verify.after();
