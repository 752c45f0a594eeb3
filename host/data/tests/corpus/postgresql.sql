-- What hostile guests and modules write, one statement a line.
-- A line `-- class:` names what follows. A line `-- allowed:` says why the next statement, alone, is harmless;
-- all others must be refused, as a guest's statement and as a migration's. Tests replace {neighbour} by another
-- tenant's prefix, {database} by another tenant's database, {nul} and {newline} by those characters.
-- class: several statements
SELECT 1; SELECT 2
SELECT 1; DROP TABLE article
SELECT 1;; SELECT 2
INSERT INTO article (id) VALUES (1); DELETE FROM article
SELECT 1; -- x{newline} DELETE FROM article
SELECT 1 ; /* x */ UPDATE article SET id = 1
DELETE FROM article; COMMIT
;
SELECT 'a'; SELECT 'b;c'
-- class: transaction control
BEGIN
START TRANSACTION
COMMIT
COMMIT AND CHAIN
ROLLBACK
ROLLBACK TO x
SAVEPOINT x
RELEASE SAVEPOINT x
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
END
-- class: rights and users
GRANT ALL ON article TO PUBLIC
GRANT SELECT ON article TO neighbour
REVOKE ALL ON article FROM PUBLIC
CREATE USER mallory
CREATE ROLE mallory
DROP USER mallory
DROP ROLE mallory
SET ROLE postgres
SET ROLE NONE
ALTER ROLE neighbour WITH SUPERUSER
-- class: programs in the engine
CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 1'
CREATE OR REPLACE FUNCTION f() RETURNS INT RETURN 1
CREATE PROCEDURE p() SELECT 1
CREATE TRIGGER t AFTER INSERT ON article FOR EACH ROW DELETE FROM tag
CREATE TRIGGER t BEFORE DELETE ON {neighbour}article FOR EACH ROW EXECUTE FUNCTION f()
DROP TRIGGER t ON article
DROP FUNCTION f
CALL p()
DO 1
EXECUTE stmt
PREPARE stmt FROM 'DROP TABLE article'
PREPARE stmt AS SELECT 1
DEALLOCATE stmt
DEALLOCATE ALL
DECLARE c CURSOR FOR SELECT 1
FETCH NEXT FROM c
CLOSE c
-- class: settings
SET x = 1
SET NAMES utf8
SET SESSION x = 1
SET GLOBAL max_connections = 1
SHOW TABLES
SHOW DATABASES
SHOW VARIABLES
SHOW GRANTS
SHOW PROCESSLIST
SHOW search_path
SHOW ALL
RESET ALL
USE other
DESCRIBE article
DESC article
EXPLAIN SELECT * FROM article
EXPLAIN ANALYZE DELETE FROM article
EXPLAIN FORMAT = JSON SELECT 1
ANALYZE article
ANALYZE TABLE article
VACUUM
OPTIMIZE TABLE article
-- class: another schema or database
SELECT * FROM {database}.article
SELECT * FROM "{database}".article
SELECT * FROM "{database}"."article"
SELECT * FROM a.b.article
SELECT {database}.article.id FROM article
SELECT a.b.c.d FROM article
SELECT {database}.article.* FROM article
INSERT INTO {database}.article (id) VALUES (1)
UPDATE {database}.article SET id = 1
DELETE FROM {database}.article
DELETE FROM article WHERE id IN (SELECT id FROM {database}.article)
CREATE TABLE {database}.x (id INT)
DROP TABLE {database}.article
ALTER TABLE {database}.article ADD COLUMN x INT
ALTER TABLE article RENAME TO {database}.article
CREATE INDEX i ON {database}.article (id)
CREATE VIEW {database}.v AS SELECT 1 AS a
CREATE VIEW v AS SELECT * FROM {database}.article
CREATE TABLE x (id INT REFERENCES {database}.article (id))
CREATE TABLE x (id INT, FOREIGN KEY (id) REFERENCES {database}.article (id))
WITH x AS (SELECT * FROM {database}.article) SELECT * FROM x
SELECT * FROM article JOIN {database}.article AS b ON b.id = article.id
SELECT (SELECT max(id) FROM {database}.article)
SELECT * FROM (SELECT * FROM {database}.article) AS x
SELECT * FROM article WHERE EXISTS (SELECT 1 FROM {database}.article)
SELECT * FROM article UNION SELECT * FROM {database}.article
INSERT INTO article SELECT * FROM {database}.article
SELECT CASE WHEN (SELECT count(*) FROM {database}.article) > 0 THEN 1 ELSE 0 END
SELECT * FROM article ORDER BY (SELECT id FROM {database}.article)
SELECT * FROM article LIMIT (SELECT id FROM {database}.article)
SELECT count(*) OVER (PARTITION BY (SELECT id FROM {database}.article)) FROM article
SELECT {database}.f(1)
CREATE SCHEMA x
CREATE DATABASE x
DROP DATABASE {database}
DROP SCHEMA {database}
ALTER DATABASE {database} RENAME TO x
ALTER SCHEMA {database} RENAME TO x
-- class: a neighbour's table by its physical name
-- allowed: gets the own prefix in front
SELECT * FROM {neighbour}article
-- allowed: gets the own prefix in front
INSERT INTO {neighbour}article (id) VALUES (1)
-- allowed: gets the own prefix in front
DELETE FROM {neighbour}article
-- allowed: gets the own prefix in front
ALTER TABLE article RENAME TO {neighbour}article
-- allowed: gets the own prefix in front
CREATE TABLE x (id INT REFERENCES {neighbour}article (id))
-- allowed: gets the own prefix in front
CREATE VIEW v AS SELECT * FROM {neighbour}article
-- allowed: gets the own prefix in front
DROP TABLE {neighbour}article
-- allowed: gets the own prefix in front, both of them
WITH {neighbour}article AS (SELECT 1 AS a) SELECT * FROM {neighbour}article
-- allowed: an alias names no table
SELECT x.id FROM article AS x
SELECT * FROM {neighbour}articles
SELECT * FROM {neighbour}a_long_name_of_a_table
SELECT * FROM t00000000000000000000000000_a
SELECT * FROM T00000000000000000000000000_A
SELECT t00000000000000000000000000_a FROM article
SELECT a AS t00000000000000000000000000_a FROM article
SELECT * FROM article AS t00000000000000000000000000_a
WITH t00000000000000000000000000_a AS (SELECT 1 AS a) SELECT * FROM t00000000000000000000000000_a
CREATE TABLE t00000000000000000000000000_a (id INT)
CREATE INDEX t00000000000000000000000000_a ON article (id)
-- allowed: a text is a text
SELECT 't00000000000000000000000000_a' AS a
-- class: the host's own tables
SELECT * FROM _rowhouse_migrations
SELECT * FROM "_rowhouse_migrations"
SELECT * FROM _RowHouse_Migrations
SELECT * FROM rowhouse_migrations
DELETE FROM _rowhouse_migrations
UPDATE _rowhouse_migrations SET checksum = ''
INSERT INTO _rowhouse_migrations (version) VALUES (99)
DROP TABLE _rowhouse_migrations
ALTER TABLE _rowhouse_migrations RENAME TO mine
ALTER TABLE article RENAME TO _rowhouse_migrations
CREATE TABLE _rowhouse_x (id INT)
CREATE TABLE x (id INT REFERENCES _rowhouse_migrations (version))
CREATE INDEX i ON _rowhouse_migrations (version)
CREATE INDEX _rowhouse_i ON article (id)
CREATE VIEW v AS SELECT * FROM _rowhouse_migrations
WITH x AS (SELECT * FROM _rowhouse_migrations) SELECT * FROM x
WITH _rowhouse_x AS (SELECT 1 AS a) SELECT * FROM _rowhouse_x
SELECT (SELECT count(*) FROM _rowhouse_migrations) FROM article
-- class: names in disguise
-- allowed: the rest is a comment, which is left out
SELECT * FROM "article"; --"
SELECT * FROM "article""; DROP TABLE x; --"
SELECT "a""b" FROM article
SELECT a AS "x"" FROM {database}.article --" FROM article
SELECT a AS 'x' FROM article
SELECT * FROM 'article'
SELECT * FROM "arti{nul}cle"
SELECT 'a{nul}b'
SELECT * FROM "art icle"
SELECT * FROM "article\"
SELECT a AS "x\" FROM article
SELECT * FROM "артicle"
SELECT * FROM аrticle
SELECT * FROM ａｒｔｉｃｌｅ
SELECT * FROM art​icle
SELECT * FROM "art​icle"
SELECT a AS "x​" FROM article
SELECT a AS "x‮" FROM article
SELECT * FROM article 
SELECT * FROM "article "
SELECT a AS "x{newline}" FROM article
SELECT * FROM article；DROP TABLE x
ＳＥＬＥＣＴ * FROM article
SELECT ＊ FROM article
SELECT * FROM article WHERE id ＝ 1
SELECT ’a’
SELECT “a”
SELECT * FROM ""
SELECT "" FROM article
CREATE TABLE "a.b" (id INT)
CREATE TABLE "a;b" (id INT)
CREATE TABLE a_name_that_is_longer_than_35_bytes_x (id INT)
SELECT a AS a_name_of_a_column_that_is_longer_than_the_sixty_three_bytes_of_it FROM article
SELECT U&"\0061rticle" FROM article
SELECT U&'\0061'
SELECT U&'!0061' UESCAPE '!'
SELECT * FROM U&"\0061rticle"
-- class: comments that are executed
SELECT 1 /*! , 2 */
SELECT 1 /*!50000 , 2 */
SELECT 1 /*M! , 2 */
SELECT 1 /*M!100000 , 2 */
SELECT /*+ MAX_EXECUTION_TIME(0) */ 1
SELECT /*+ SET_VAR(sql_mode = '') */ 1
SELECT 1 FROM article /*! FOR UPDATE */
/*! DROP TABLE article */
SELECT 1 /* open
SELECT 1 /*
SELECT 1 */ 2
-- allowed: a comment is left out
SELECT 1 /* ; DROP TABLE article */
-- allowed: a comment is left out
SELECT 1 -- ; DROP TABLE article
-- class: literals of other kinds
SELECT E'\''
SELECT e'\047; DROP TABLE x'
SELECT N'a'
SELECT B'0101'
SELECT b'0101'
SELECT X'4142'
SELECT x'41'
SELECT 0x414243
SELECT 0b0101
SELECT _utf8'a'
SELECT _latin1 X'FF'
SELECT _binary 'a'
SELECT $$a$$
SELECT $x$a$x$
SELECT $tag$; DROP TABLE article; $tag$
SELECT $0
SELECT $01
SELECT $1a
SELECT $x
SELECT $99999
SELECT ?
SELECT ?1
SELECT :a
SELECT @a
SELECT @@version
SELECT {d '2020-01-01'}
SELECT {fn sleep(1)}
SELECT 1e
SELECT 'abc
SELECT "abc
SELECT 'it''s' 'x' 'y' FROM
SELECT r'a'
SELECT q'[a]'
-- class: writing and reading files
SELECT * FROM article INTO OUTFILE '/tmp/x'
SELECT * INTO OUTFILE '/tmp/x' FROM article
SELECT * FROM article INTO DUMPFILE '/tmp/x'
SELECT load_file('/etc/passwd')
SELECT pg_read_file('/etc/passwd')
SELECT readfile('/etc/passwd')
SELECT writefile('/tmp/x', 'a')
SELECT load_extension('/tmp/x.so')
LOAD DATA INFILE '/etc/passwd' INTO TABLE article
LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE article
LOAD XML INFILE '/tmp/x' INTO TABLE article
COPY article TO '/tmp/x'
COPY article FROM '/etc/passwd'
COPY article TO PROGRAM 'sh'
COPY article FROM PROGRAM 'id'
COPY article FROM STDIN
COPY (SELECT 1) TO STDOUT
IMPORT TABLE FROM '/tmp/x.sdi'
ATTACH DATABASE '/tmp/x' AS y
-- class: sleeping and burning
SELECT sleep(100)
SELECT SLEEP(100) FROM article
SELECT pg_sleep(100)
SELECT benchmark(1000000000, md5('a'))
SELECT 1 FROM article WHERE sleep(1) = 0
INSERT INTO article (id) VALUES (sleep(10))
UPDATE article SET id = sleep(10)
SELECT * FROM article ORDER BY sleep(1)
SELECT repeat('x', 1000000000)
SELECT repeat('x', $1)
SELECT repeat('x', 9999 * 9999)
SELECT rpad('x', 1000000000, 'y')
SELECT lpad('x', 2147483647, 'y')
SELECT lpad('x', -(-1000000000), 'y')
CREATE TABLE x (a TEXT DEFAULT (repeat('x', 1000000000)))
-- class: schema changes off the list
CREATE TABLE x AS SELECT * FROM article
CREATE TABLE x LIKE article
CREATE TABLE x (LIKE article)
CREATE TABLE x (LIKE {neighbour}article INCLUDING ALL)
CREATE TEMPORARY TABLE x (id INT)
CREATE TEMP TABLE x (id INT)
CREATE OR REPLACE TABLE x (id INT)
CREATE TABLE x ()
CREATE TEMPORARY VIEW v AS SELECT 1 AS a
CREATE MATERIALIZED VIEW v AS SELECT 1 AS a
CREATE SEQUENCE s
DROP SEQUENCE s
CREATE TYPE x AS ENUM ('a')
CREATE DOMAIN d AS INT
CREATE EXTENSION dblink
CREATE SERVER s FOREIGN DATA WRAPPER w
CREATE FOREIGN TABLE x (id INT) SERVER s
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM article
CREATE TABLESPACE t LOCATION '/tmp'
CREATE LANGUAGE plpgsql
CREATE RULE r AS ON SELECT TO article DO INSTEAD NOTHING
CREATE POLICY p ON article USING (true)
CREATE AGGREGATE a (INT) (SFUNC = f, STYPE = INT)
CREATE OPERATOR + (FUNCTION = f)
CREATE CAST (INT AS TEXT) WITH INOUT
TRUNCATE article
TRUNCATE TABLE article
COMMENT ON TABLE article IS 'x'
LOCK TABLE article
LOCK TABLES article WRITE
UNLOCK TABLES
MERGE INTO article USING tag ON article.id = tag.id WHEN MATCHED THEN DELETE
TABLE article
SELECT * INTO x FROM article
CREATE TABLE x (a INT DEFAULT (SELECT max(id) FROM {database}.article))
CREATE TABLE x (a INT CHECK (a > (SELECT id FROM {database}.article)))
ALTER TABLE article RENAME TO "x y"
ALTER TABLE article OWNER TO postgres
ALTER TABLE article ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES {database}.article (id)
CREATE TABLE x (a INT DEFAULT sleep(1))
CREATE TABLE x (a INT) PARTITION BY RANGE (a)
ALTER TABLE article ADD PARTITION (PARTITION p VALUES LESS THAN (1))
-- class: what may look hostile and is not
-- allowed: a recursive query ends at the deadline
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n
-- allowed: a product ends at the deadline
SELECT count(*) FROM article AS a, article AS b, article AS c, article AS d
-- allowed: a name that WITH gives hides the guest's own table only
WITH article AS (SELECT 1 AS id) SELECT id FROM article
-- allowed: a text in quotation marks is a text
SELECT 'SELECT * FROM {database}.article; DROP TABLE x; -- /*! */' AS a
-- allowed: a long pattern ends at the deadline
SELECT * FROM article WHERE body LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%b'
-- allowed: a bounded amplifier
SELECT length('x') AS a
-- class: catalogue
SELECT * FROM pg_class
SELECT * FROM pg_catalog.pg_class
SELECT * FROM "pg_class"
SELECT * FROM PG_CLASS
SELECT * FROM pg_database
SELECT * FROM pg_roles
SELECT * FROM pg_user
SELECT * FROM pg_shadow
SELECT * FROM pg_authid
SELECT * FROM pg_stat_activity
SELECT * FROM pg_locks
SELECT * FROM pg_settings
SELECT * FROM pg_hba_file_rules
SELECT * FROM pg_tables
SELECT * FROM pg_stats
SELECT * FROM pg_stat_statements
SELECT * FROM pg_largeobject
SELECT * FROM pg_prepared_statements
SELECT * FROM pg_cursors
SELECT * FROM information_schema.tables
SELECT * FROM information_schema.columns
SELECT * FROM "information_schema"."schemata"
SELECT 'pg_authid'::regclass
SELECT 'article'::regclass::oid
SELECT 'postgres'::regrole
SELECT 'now'::regproc
SELECT 'int'::regtype
SELECT CAST('pg_class' AS regclass)
SELECT regclass 'pg_class'
SELECT 1::oid
SELECT 'x'::name
SELECT '(1,2)'::pg_class
SELECT ''::xid8
SELECT to_regclass('pg_authid')
SELECT pg_get_viewdef('pg_roles')
SELECT pg_table_size('article')
SELECT pg_database_size('postgres')
SELECT has_table_privilege('article', 'select')
SELECT obj_description(1)
SELECT col_description(1, 1)
SELECT xmin FROM article
SELECT article.xmax FROM article
SELECT tableoid FROM article
SELECT "xmin" FROM article
SELECT cmin, cmax FROM article
SELECT oid FROM article
SELECT article.pg_column_size FROM article
SELECT current_user
SELECT session_user
-- allowed: the word becomes the name of a column
SELECT current_role
SELECT user
SELECT current_catalog
-- allowed: the word becomes the name of a column
SELECT current_schema
SELECT current_schema()
SELECT current_database()
SELECT version()
SELECT inet_server_addr()
SELECT pg_backend_pid()
SELECT txid_current()
SELECT pg_current_xact_id()
-- class: roles and passwords
ALTER ROLE CURRENT_USER PASSWORD 'x'
ALTER ROLE me SET work_mem = '10GB'
ALTER USER me WITH PASSWORD 'x'
SET SESSION AUTHORIZATION postgres
RESET ROLE
SELECT set_config('role', 'postgres', false)
SELECT set_config('statement_timeout', '0', false)
SELECT current_setting('data_directory')
SET statement_timeout = 0
SET LOCAL work_mem = '10GB'
SET search_path TO public
REASSIGN OWNED BY me TO you
DROP OWNED BY me
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC
SECURITY LABEL ON TABLE article IS 'x'
-- class: locks, channels, sequences
SELECT pg_advisory_lock(1)
SELECT pg_try_advisory_lock(1)
SELECT pg_advisory_xact_lock(1)
SELECT pg_advisory_unlock_all()
LISTEN x
NOTIFY x
NOTIFY x, 'y'
UNLISTEN *
SELECT pg_notify('x', 'y')
SELECT nextval('{neighbour}article_id_seq')
SELECT setval('article_id_seq', 1)
SELECT currval('article_id_seq')
SELECT lastval()
CREATE TABLE x (id INT DEFAULT nextval('{neighbour}article_id_seq'))
SELECT pg_cancel_backend(1)
SELECT pg_terminate_backend(1)
SELECT pg_reload_conf()
SELECT * FROM article FOR UPDATE NOWAIT
SELECT * FROM article FOR UPDATE SKIP LOCKED
SELECT * FROM article FOR UPDATE OF article
CHECKPOINT
DISCARD ALL
-- class: large objects, xml, other connections
SELECT lo_create(0)
SELECT lo_import('/etc/passwd')
SELECT lo_export(1, '/tmp/x')
SELECT lo_from_bytea(0, 'x')
SELECT lo_unlink(1)
SELECT query_to_xml('SELECT 1', true, true, '')
SELECT table_to_xml('article', true, true, '')
SELECT database_to_xml(true, true, '')
SELECT schema_to_xml('public', true, true, '')
SELECT cursor_to_xml('c', 1, true, true, '')
SELECT xpath('//a', '<a/>')
SELECT xmlparse(document '<a/>')
SELECT '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'::xml
SELECT * FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS b TEXT)
SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t(a INT)
SELECT dblink_connect('dbname=postgres')
SELECT ts_stat('SELECT body FROM article')
SELECT ts_rewrite('a'::tsquery, 'SELECT 1')
SELECT pg_ls_dir('/')
SELECT pg_stat_file('/etc/passwd')
SELECT pg_read_binary_file('/etc/passwd')
SELECT * FROM pg_ls_waldir()
SELECT * FROM pg_show_all_settings()
SELECT * FROM crosstab('SELECT 1')
SELECT * FROM ROWS FROM (generate_series(1, 2))
SELECT * FROM json_to_recordset('[]') AS x(a INT)
-- class: storage and inheritance
CREATE TABLE x (id INT) TABLESPACE pg_default
CREATE TABLE x (id INT) INHERITS (article)
CREATE TABLE x (id INT) INHERITS ({neighbour}article)
CREATE TABLE x PARTITION OF article FOR VALUES IN (1)
CREATE TABLE x OF t
CREATE TABLE x (id INT) WITH (autovacuum_enabled = false)
CREATE TABLE x (id INT) WITH (user_catalog_table = true)
CREATE UNLOGGED TABLE x (id INT)
CREATE TABLE x (id INT) USING heap
CREATE TABLE x (id INT) ON COMMIT DROP
CREATE TABLE x (a INT, EXCLUDE USING gist (a WITH =))
CREATE TABLE x (a x.y)
CREATE TABLE x (a article)
CREATE TABLE x (a regclass)
CREATE TABLE x (a TEXT COLLATE "de_DE")
CREATE TABLE x (a TEXT DEFAULT current_user)
CREATE INDEX CONCURRENTLY i ON article (id)
CREATE INDEX i ON article USING brin (id)
CREATE INDEX i ON article USING bloom (id)
CREATE INDEX i ON article (id my_ops)
CREATE INDEX i ON article (id) WITH (fillfactor = 70)
CREATE INDEX i ON article (id) TABLESPACE x
CREATE INDEX i ON article (pg_sleep(1))
CREATE INDEX i ON ONLY article (id)
DROP INDEX CONCURRENTLY i
DROP OWNED BY x
ALTER TABLE article ENABLE ROW LEVEL SECURITY
ALTER TABLE article DISABLE TRIGGER ALL
ALTER TABLE article SET SCHEMA x
ALTER TABLE article SET TABLESPACE x
ALTER TABLE article SET LOGGED
ALTER TABLE article INHERIT {neighbour}article
ALTER TABLE article REPLICA IDENTITY FULL
ALTER TABLE article ATTACH PARTITION x FOR VALUES IN (1)
ALTER TABLE article CLUSTER ON i
ALTER TABLE article ALTER COLUMN a TYPE regclass USING 'pg_class'::regclass
ALTER TABLE article ALTER COLUMN a SET DEFAULT pg_sleep(1)
ALTER TABLE article ALTER COLUMN a SET STORAGE EXTERNAL
ALTER TABLE article ADD CONSTRAINT c UNIQUE USING INDEX i
ALTER INDEX i RENAME TO j
ALTER VIEW v AS SELECT 1
ALTER SEQUENCE s RESTART
CREATE VIEW v WITH (security_barrier) AS SELECT 1 AS a
CLUSTER article
REINDEX TABLE article
REFRESH MATERIALIZED VIEW v
-- class: expressions
SELECT OPERATOR(pg_catalog.+) 1
SELECT 1 OPERATOR(pg_catalog.+) 1
SELECT (article).pg_sleep FROM article
SELECT (pg_sleep(1))
SELECT "pg_sleep"(1)
SELECT pg_catalog.pg_sleep(1)
SELECT PG_SLEEP(1)
SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM article
SELECT array_agg(pg_sleep(1) ORDER BY 1)
SELECT sum(1) OVER (ORDER BY pg_sleep(1))
SELECT CASE WHEN true THEN pg_sleep(1) END
SELECT * FROM generate_series(1, (SELECT count(*) FROM pg_class))
SELECT * FROM LATERAL pg_sleep(1)
SELECT * FROM pg_sleep(1)
SELECT coalesce(pg_sleep(1), 1)
INSERT INTO article (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = (SELECT 1 FROM pg_class)
INSERT INTO article (id) VALUES (1) RETURNING pg_sleep(1)
UPDATE article SET id = 1 FROM pg_class
DELETE FROM article USING pg_class
WITH x AS (DELETE FROM pg_class RETURNING 1) SELECT 1
SELECT make_interval(days => 1)
SELECT f(VARIADIC ARRAY[1])
SELECT @ 1
SELECT |/ 4
SELECT 4 !
SELECT - - 1
SELECT -+1
SELECT ~-1
SELECT 1 @@@ 2
SELECT 1 <-> 2
SELECT * FROM article TABLESAMPLE SYSTEM (1)
-- allowed: the word becomes the name of a table
SELECT * FROM ONLY article
SELECT * FROM article *
SELECT GROUPING SETS ((a))
SELECT a FROM article GROUP BY CUBE (a, b, c, d, e, f, g, h, i, j, k, l)
-- allowed: a long series ends at the deadline
SELECT count(*) FROM generate_series(1, 1000000000000) AS x
-- allowed: a pattern that grows ends at the deadline
SELECT body ~ '(a+)+(b+)+(c+)+$' FROM article
-- allowed: a JSON path ends at the deadline
SELECT jsonb_path_query_array(doc, '$.**.**.**') FROM article
