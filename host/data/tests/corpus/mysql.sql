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
-- allowed: the space is left out
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
-- class: catalogue
SELECT * FROM mysql.user
SELECT * FROM `mysql`.`user`
SELECT * FROM mysql.db
SELECT * FROM information_schema.tables
SELECT * FROM INFORMATION_SCHEMA.PROCESSLIST
SELECT * FROM `information_schema`.`schemata`
SELECT * FROM performance_schema.threads
SELECT * FROM sys.session
SELECT * FROM mysql . user
SELECT * FROM .article
SELECT * FROM `{database}`.`article`
SELECT database()
SELECT schema()
SELECT user()
SELECT current_user()
-- allowed: the word becomes the name of a column
SELECT current_user
SELECT session_user()
SELECT system_user()
SELECT version()
SELECT connection_id()
SELECT current_role()
SELECT found_rows()
SHOW CREATE TABLE article
SHOW TABLES FROM {database}
SHOW COLUMNS FROM article FROM {database}
SHOW FULL PROCESSLIST
SHOW STATUS
SHOW ENGINE INNODB STATUS
SHOW MASTER STATUS
SHOW BINARY LOGS
SHOW WARNINGS
SHOW PRIVILEGES
HELP 'contents'
-- class: variables
SELECT @@global.secure_file_priv
SELECT @@session.sql_mode
SELECT @@hostname
SELECT @x := 1
SELECT @`x`
SET @x = 1
SET @@session.sql_mode = ''
SET SESSION sql_mode = ''
SET sql_mode = ''
SET PASSWORD = 'x'
SET PASSWORD FOR root = 'x'
SET CHARACTER SET utf8
SET STATEMENT max_statement_time = 0 FOR SELECT 1
SET GLOBAL general_log = 1
SET max_statement_time = 0
INSERT INTO article (id) VALUES (@x)
UPDATE article SET id = @x := 1
-- class: locks, handlers, XA, the server
SELECT get_lock('x', 10)
SELECT release_lock('x')
SELECT release_all_locks()
SELECT is_free_lock('x')
SELECT is_used_lock('x')
SELECT master_pos_wait('x', 1)
SELECT source_pos_wait('x', 1)
SELECT wait_for_executed_gtid_set('x')
SELECT GET_LOCK('x', 10) FROM article
HANDLER article OPEN
HANDLER article READ FIRST
HANDLER article CLOSE
XA START 'x'
XA END 'x'
XA PREPARE 'x'
XA COMMIT 'x'
XA RECOVER
KILL 1
KILL QUERY 1
FLUSH PRIVILEGES
FLUSH TABLES WITH READ LOCK
RESET MASTER
PURGE BINARY LOGS TO 'x'
CHANGE MASTER TO MASTER_HOST = 'x'
INSTALL PLUGIN x SONAME 'x.so'
INSTALL SONAME 'x'
UNINSTALL PLUGIN x
SHUTDOWN
CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')
BACKUP STAGE START
CACHE INDEX article IN x
LOAD INDEX INTO CACHE article
CHECK TABLE article
REPAIR TABLE article
CHECKSUM TABLE article
BINLOG 'x'
SIGNAL SQLSTATE '45000'
RESIGNAL
GET DIAGNOSTICS @x = NUMBER
BEGIN NOT ATOMIC SELECT 1; END
EXECUTE IMMEDIATE 'DROP TABLE article'
DO sleep(10)
DO release_lock('x')
RENAME TABLE article TO {database}.article
RENAME TABLE {neighbour}article TO x
RENAME USER a TO b
ALTER USER me IDENTIFIED BY 'x'
CREATE USER x@localhost IDENTIFIED BY 'x'
GRANT ALL ON *.* TO x@localhost
SELECT * FROM article LOCK IN SHARE MODE NOWAIT
SELECT * FROM article FOR UPDATE NOWAIT
SELECT * FROM article FOR UPDATE SKIP LOCKED
SELECT * FROM article PROCEDURE ANALYSE()
-- class: storage
CREATE TABLE x (id INT) DATA DIRECTORY = '/tmp'
CREATE TABLE x (id INT) INDEX DIRECTORY = '/tmp'
CREATE TABLE x (id INT) DATA DIRECTORY '/tmp'
CREATE TABLE x (id INT) ENGINE = InnoDB DATA DIRECTORY = '/tmp'
CREATE TABLE x (id INT) ENGINE = MyISAM
CREATE TABLE x (id INT) ENGINE = MEMORY
CREATE TABLE x (id INT) ENGINE = CSV
CREATE TABLE x (id INT) ENGINE = ARCHIVE
CREATE TABLE x (id INT) ENGINE = FEDERATED CONNECTION = 'mysql://root@127.0.0.1/mysql/user'
CREATE TABLE x (id INT) ENGINE = CONNECT TABLE_TYPE = CSV FILE_NAME = '/etc/passwd'
CREATE TABLE x (id INT) ENGINE = BLACKHOLE
CREATE TABLE x (id INT) ENGINE = MERGE UNION = (article, tag)
CREATE TABLE x (id INT) ENGINE = MRG_MyISAM UNION = ({neighbour}article)
CREATE TABLE x (id INT) ENGINE = SPIDER
CREATE TABLE x (id INT) ENGINE = SEQUENCE
CREATE TABLE x (id INT) TABLESPACE t
CREATE TABLE x (id INT) AUTO_INCREMENT = 5
CREATE TABLE x (id INT) ROW_FORMAT = COMPRESSED
CREATE TABLE x (id INT) ENCRYPTION = 'Y'
CREATE TABLE x (id INT) MAX_ROWS = 5
CREATE TABLE x (id INT) CHARSET = latin1
CREATE TABLE x (id INT) DEFAULT CHARSET = gbk
CREATE TABLE x (id INT) COLLATE = latin1_bin
CREATE TABLE x (id INT) STATS_PERSISTENT = 1
CREATE TABLE x (id INT) PARTITION BY HASH (id)
CREATE TABLE x (id INT) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (1) DATA DIRECTORY = '/tmp')
CREATE TABLE x (id INT) WITH SYSTEM VERSIONING
CREATE TABLE x (a VARCHAR(10) CHARACTER SET latin1)
CREATE TABLE x (a VARCHAR(10) COLLATE latin1_bin)
CREATE TABLE x (a ENUM ('a\\', 'b'))
CREATE TABLE x (a SET ('a'))
CREATE TABLE x (a GEOMETRY)
CREATE TABLE x (a INT COMMENT 'x\')
CREATE TABLE x (a INT) COMMENT = 'x\'
CREATE TABLE x (a INT, SPATIAL KEY k (a))
CREATE TABLE x (a INT, KEY k (a) COMMENT 'x')
CREATE TABLE x (a INT, KEY k USING RTREE (a))
CREATE TABLE x SELECT * FROM article
CREATE TABLE x (id INT) SELECT * FROM {database}.article
CREATE TABLE x (id INT DEFAULT (get_lock('x', 1)))
CREATE TABLE x (a INT GENERATED ALWAYS AS (sleep(1)) VIRTUAL)
CREATE DEFINER = root@localhost VIEW v AS SELECT 1 AS a
CREATE ALGORITHM = MERGE VIEW v AS SELECT 1 AS a
CREATE SQL SECURITY DEFINER VIEW v AS SELECT 1 AS a
CREATE DEFINER = root@localhost TRIGGER t BEFORE INSERT ON article FOR EACH ROW SET @x = 1
ALTER TABLE article ENGINE = MyISAM
ALTER TABLE article DISCARD TABLESPACE
ALTER TABLE article IMPORT TABLESPACE
ALTER TABLE article RENAME {database}.article
ALTER TABLE article CONVERT TO CHARACTER SET latin1
ALTER TABLE article ORDER BY id
ALTER TABLE article AUTO_INCREMENT = 5
ALTER TABLE article DATA DIRECTORY = '/tmp'
ALTER TABLE article ALGORITHM = COPY
ALTER TABLE article LOCK = NONE
ALTER TABLE article MODIFY COLUMN a INT AFTER `x y`
ALTER DATABASE x CHARACTER SET utf8
-- class: backslashes and quotes
SELECT 'a\'; DROP TABLE x; -- '
-- allowed: one text to its end, which leaves as bytes
SELECT 'a\'' OR 1 = 1; -- '
SELECT 'a' 'b'
SELECT `a``b` FROM article
SELECT * FROM `article``; DROP TABLE x; -- `
SELECT * FROM `article`.`x`
SELECT a AS `x\` FROM article
SELECT * FROM article WHERE a = "x" OR "
SELECT 'a' COLLATE latin1_bin
SELECT 'a' COLLATE gbk_chinese_ci
SELECT CONVERT('a' USING gbk)
SELECT _gbk'�\'
SELECT _utf8mb4'a'
SELECT _utf8mb4 X'41'
SELECT CHAR(39 USING gbk)
SELECT CAST('a' AS CHAR CHARACTER SET gbk)
-- allowed: a cast to bytes
SELECT BINARY 'a'
SELECT 1 # x{newline} ; DROP TABLE y
SELECT DATE 'x\'
SELECT group_concat(a SEPARATOR '\') FROM article
SELECT MATCH (a) AGAINST ('x\') FROM article
-- allowed: a backslash leaves as bytes
SELECT 'a\' AS b
-- allowed: a backslash leaves as bytes
SELECT * FROM article WHERE a LIKE 'x\_%' ESCAPE '\'
-- class: expressions
SELECT sys.sleep(1)
SELECT `sleep`(1)
SELECT SLEEP (1)
SELECT name_const('a', 1)
SELECT extractvalue('<a/>', '/a')
SELECT updatexml('<a/>', '/a', 'b')
SELECT aes_decrypt('a', 'b')
SELECT encrypt('a')
SELECT sys_exec('id')
SELECT lib_mysqludf_sys_info()
SELECT space(100000000)
SELECT json_table('[]', '$' COLUMNS (a INT PATH '$'))
SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a INT PATH '$')) AS x
-- allowed: the words become names of columns
SELECT HIGH_PRIORITY * FROM article
-- allowed: the words become names of columns
SELECT SQL_CALC_FOUND_ROWS * FROM article
-- allowed: the words become names of columns
SELECT SQL_NO_CACHE * FROM article
-- allowed: the words become names of columns
SELECT STRAIGHT_JOIN * FROM article
SELECT * FROM article USE INDEX (i)
SELECT * FROM article FORCE INDEX (i)
SELECT * FROM article PARTITION (p)
SELECT * FROM article FOR SYSTEM_TIME ALL
INSERT DELAYED INTO article (id) VALUES (1)
INSERT LOW_PRIORITY INTO article (id) VALUES (1)
INSERT HIGH_PRIORITY INTO article (id) VALUES (1)
INSERT INTO article PARTITION (p) (id) VALUES (1)
INSERT INTO article (id) VALUES (1) AS new ON DUPLICATE KEY UPDATE id = new.id
INSERT INTO article (id) VALUES (1) ON DUPLICATE KEY UPDATE id = {database}.article.id
REPLACE DELAYED INTO article (id) VALUES (1)
-- allowed: the word becomes the name of a table
UPDATE LOW_PRIORITY article SET id = 1
-- allowed: the word becomes the name of a table
UPDATE IGNORE article SET id = 1
UPDATE article, {database}.article AS b SET article.id = 1
UPDATE article JOIN {database}.article AS b ON 1 = 1 SET b.id = 1
DELETE QUICK FROM article
DELETE article FROM article JOIN tag ON 1 = 1
DELETE FROM article USING article JOIN tag
DELETE FROM article, tag
SELECT NEXT VALUE FOR s
SELECT nextval(s)
SELECT 1 MEMBER OF ('[1]')
SELECT a SOUNDS LIKE b FROM article
SELECT 1 := 1
SELECT 1 INTO @x
SELECT a FROM article INTO @x
SELECT ! 1
SELECT 1 || sleep(1)
VALUES ROW(sleep(1))
-- allowed: a pattern that grows ends at the deadline
SELECT body REGEXP '(a+)+$' FROM article
