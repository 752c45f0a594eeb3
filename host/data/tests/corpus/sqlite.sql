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
-- allowed: a column and a text
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
-- class: files and other databases
ATTACH DATABASE ':memory:' AS other
ATTACH ':memory:' AS other
ATTACH DATABASE '/etc/passwd' AS other
ATTACH DATABASE 'file:x?mode=rwc' AS other
DETACH DATABASE main
VACUUM INTO '/tmp/stolen.db'
VACUUM main
SELECT * FROM main.article
SELECT * FROM temp.article
SELECT * FROM "main"."article"
SELECT * FROM [main].[article]
SELECT * FROM `main`.`article`
CREATE TABLE main.x (id INTEGER)
CREATE TABLE temp.x (id INTEGER)
CREATE INDEX main.i ON article (id)
CREATE TEMP TRIGGER x AFTER INSERT ON article BEGIN SELECT 1; END
CREATE TRIGGER x AFTER INSERT ON article BEGIN DELETE FROM {neighbour}article; END
CREATE VIRTUAL TABLE x USING fts5(a)
CREATE VIRTUAL TABLE x USING dbstat
CREATE VIRTUAL TABLE x USING csv(filename = '/etc/passwd')
CREATE VIRTUAL TABLE x USING fts5vocab({neighbour}a, row)
SELECT readfile('/etc/passwd')
SELECT edit('x')
SELECT load_extension('x')
SELECT * FROM fsdir('/')
-- class: catalogue
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM SQLITE_MASTER
SELECT * FROM "sqlite_master"
SELECT * FROM [sqlite_master]
SELECT * FROM `sqlite_master`
SELECT * FROM main.sqlite_schema
SELECT * FROM sqlite_temp_master
SELECT * FROM sqlite_temp_schema
SELECT * FROM sqlite_sequence
SELECT * FROM sqlite_stat1
SELECT * FROM sqlite_dbpage
SELECT * FROM pragma_table_list
SELECT * FROM pragma_table_list()
SELECT * FROM pragma_table_info('article')
SELECT * FROM pragma_database_list()
SELECT * FROM pragma_compile_options()
SELECT name FROM sqlite_master WHERE type = 'table'
INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, 'CREATE TABLE x (a)')
UPDATE sqlite_sequence SET seq = 0
UPDATE sqlite_master SET sql = ''
DELETE FROM sqlite_sequence
DELETE FROM sqlite_stat1
DROP TABLE sqlite_sequence
ALTER TABLE article RENAME TO sqlite_x
CREATE TABLE sqlite_x (id INTEGER)
CREATE INDEX sqlite_i ON article (id)
CREATE VIEW sqlite_v AS SELECT 1 AS a
CREATE VIEW pragma_x AS SELECT 1 AS a
SELECT sqlite_version()
SELECT sqlite_source_id()
SELECT sqlite_compileoption_get(1)
SELECT sqlite_compileoption_used('x')
SELECT sqlite_log(1, 'x')
SELECT sqlite_offset(id) FROM article
SELECT * FROM json_each('[]') AS x JOIN sqlite_master
SELECT * FROM dbstat()
SELECT * FROM bytecode('SELECT 1')
SELECT * FROM tables_used('SELECT 1')
SELECT * FROM fts3tokenize('simple')
SELECT * FROM completion('SEL')
SELECT * FROM generate_series(1, 10)
SELECT * FROM fts5vocab('x')
-- class: pragmas
PRAGMA writable_schema = ON
PRAGMA journal_mode = DELETE
PRAGMA max_page_count = 1000000
PRAGMA hard_heap_limit = 0
PRAGMA soft_heap_limit = 0
PRAGMA database_list
PRAGMA foreign_keys = OFF
PRAGMA temp_store_directory = '/tmp'
PRAGMA trusted_schema = ON
PRAGMA table_info(article)
PRAGMA data_version
PRAGMA busy_timeout = 0
PRAGMA wal_checkpoint(TRUNCATE)
PRAGMA mmap_size = 1000000000000
PRAGMA cache_size = -1000000000
PRAGMA locking_mode = EXCLUSIVE
PRAGMA query_only = OFF
PRAGMA synchronous = OFF
PRAGMA threads = 100
PRAGMA user_version = 5
PRAGMA application_id = 5
PRAGMA recursive_triggers = ON
PRAGMA secure_delete = OFF
PRAGMA main.journal_mode
PRAGMA integrity_check
PRAGMA optimize
PRAGMA shrink_memory
PRAGMA case_sensitive_like = ON
PRAGMA legacy_alter_table = ON
PRAGMA auto_vacuum = FULL
-- class: the rest of the engine's statements
BEGIN IMMEDIATE
BEGIN EXCLUSIVE
BEGIN DEFERRED TRANSACTION
COMMIT TRANSACTION
END TRANSACTION
ROLLBACK TRANSACTION
RELEASE x
REINDEX
REINDEX article
ANALYZE
ANALYZE sqlite_master
EXPLAIN QUERY PLAN SELECT * FROM article
INSERT OR ROLLBACK INTO article (id) VALUES (1)
UPDATE OR ROLLBACK article SET id = 1
CREATE TABLE x (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)
CREATE TABLE x (id INTEGER UNIQUE ON CONFLICT REPLACE)
CREATE TABLE x (a TEXT COLLATE my_collation)
CREATE TABLE x (a TEXT DEFAULT (load_extension('x')))
CREATE TABLE x (a TEXT CHECK (load_extension('x')))
CREATE TABLE x (a TEXT GENERATED ALWAYS AS (randomblob(1000000000) || load_extension('x')))
CREATE INDEX i ON article (load_extension('x'))
CREATE INDEX i ON article (id) WHERE load_extension('x')
CREATE INDEX i ON article USING btree (id)
UPDATE article SET id = 1 ORDER BY id LIMIT 1
DELETE FROM article ORDER BY id LIMIT 1
DELETE FROM article LIMIT 1
UPDATE article INDEXED BY i SET id = 1
SELECT * FROM article INDEXED BY i
SELECT * FROM article NOT INDEXED
-- class: functions and memory
SELECT json_patch('{}', '{}')
SELECT json_pretty('{}')
SELECT jsonb_patch('{}', '{}')
SELECT highlight(article, 0, 'a', 'b') FROM article
SELECT snippet(article, 0, 'a', 'b', 'c', 5) FROM article
SELECT fts3_tokenizer('x')
SELECT fts5(1)
SELECT matchinfo(article) FROM article
SELECT rtreecheck('x')
SELECT sha3('x')
SELECT regexp('a', 'b')
SELECT 'a' REGEXP 'b'
SELECT * FROM article WHERE body MATCH 'a'
SELECT "load_extension"('x')
SELECT LOAD_EXTENSION('x')
SELECT count(*) FILTER (WHERE load_extension('x')) FROM article
SELECT sum(1) OVER (ORDER BY load_extension('x')) FROM article
SELECT CASE WHEN 1 THEN load_extension('x') END
SELECT CAST(load_extension('x') AS TEXT)
SELECT (SELECT load_extension('x'))
SELECT * FROM article WHERE id IN (load_extension('x'))
SELECT * FROM article WHERE id BETWEEN load_extension('x') AND 2
INSERT INTO article (id) VALUES (load_extension('x'))
INSERT INTO article (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = load_extension('x')
INSERT INTO article (id) VALUES (1) RETURNING load_extension('x')
UPDATE article SET id = 1 WHERE load_extension('x')
SELECT - - 1
SELECT ~-1
SELECT -+1
-- allowed: bounded by the engine's limit of values
SELECT zeroblob(1000000000) AS a
-- allowed: bounded by the engine's limit of values
SELECT randomblob(1000000000) AS a
-- allowed: a pattern that grows ends at the deadline
SELECT * FROM article WHERE body GLOB '*a*a*a*a*a*a*a*a*b'
-- allowed: a tree of JSON ends at the deadline
SELECT count(*) FROM json_tree('[[[]]]') AS x
