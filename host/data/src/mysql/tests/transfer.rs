//! From one tenant to another, in every direction between the isolations.

use super::*;
use crate::ConstraintKind;
use crate::transfer::{ColumnKind, Export, Import, RowBlock, TableShape};

const STEPS: [&str; 4] = [
    "CREATE TABLE page (id BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT, parent BIGINT, slug VARCHAR(80) NOT NULL UNIQUE, \
     shown TINYINT(1), size DECIMAL(20,4), extra JSON, at DATETIME(6), raw BLOB, FOREIGN KEY (parent) REFERENCES page (id))",
    "CREATE TABLE label (page BIGINT NOT NULL, name VARCHAR(40) NOT NULL, PRIMARY KEY (page, name), \
     FOREIGN KEY (page) REFERENCES page (id))",
    "CREATE TABLE aside (n INT)",
    "CREATE VIEW pages AS SELECT slug FROM page",
];

async fn made(room: &Room) -> Site {
    let site = room.tenant(|_| {}).await;
    site.migrate(&[migration(1, &STEPS)]).await.unwrap();
    site
}

async fn fill(site: &Site) {
    let insert = "INSERT INTO page VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    // The first refers to the last: rows go in before what they refer to.
    for (id, parent) in [(1_i64, Value::Null), (2, Value::Integer(1)), (700, Value::Null)] {
        let row = vec![
            Value::Integer(id),
            parent,
            text(&format!("page-{id} 😀")),
            Value::Boolean(id == 1),
            Value::Decimal("12345678901234.5678".into()),
            Value::Json("{\"a\": 1}".into()),
            Value::Timestamp(1_700_000_000_000_001),
            Value::Blob(vec![0, 159, 146, 150]),
        ];
        site.session.execute(insert, row).await.unwrap();
    }
    site.session.execute("UPDATE page SET parent = 700 WHERE id = 1", vec![]).await.unwrap();
    site.session.execute("INSERT INTO label VALUES (1, 'a'), (700, 'b')", vec![]).await.unwrap();
    let many = "INSERT INTO aside WITH d AS (SELECT 0 AS i UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 \
                UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6) SELECT a.i FROM d AS a CROSS JOIN d AS b \
                CROSS JOIN d AS c CROSS JOIN d AS e";
    site.session.execute(many, vec![]).await.unwrap();
}

fn columns(table: &TableShape) -> Vec<String> {
    table.columns.iter().map(|column| column.name.clone()).collect()
}

async fn table(export: &mut impl Export, table: &TableShape) -> RowBlock {
    let mut all = RowBlock::new();
    loop {
        let block = export.next(table).await.unwrap();
        if block.is_empty() {
            return all;
        }
        assert!(block.len() <= 500);
        all.extend(block);
    }
}

#[tokio::test]
async fn everything_arrives_in_every_isolation() {
    let rooms = [Room::new(Isolation::Database).await, Room::new(Isolation::Prefix).await];
    for (from, to) in [(0, 0), (0, 1), (1, 0)] {
        let (source, target) = (made(&rooms[from]).await, made(&rooms[to]).await);
        fill(&source).await;
        target
            .session
            .execute("INSERT INTO page (id, slug) VALUES (9, 'left by a migration')", vec![])
            .await
            .unwrap();
        let mut export = rooms[from].engine.export(&source.tenant).await.unwrap();
        let mut import = rooms[to].engine.import(&target.tenant).await.unwrap();
        let names: Vec<_> = export.tables().iter().map(|table| table.name.clone()).collect();
        assert_eq!(names, ["aside", "page", "label"]);
        assert_eq!(export.tables(), import.tables());
        let page = &export.tables()[1];
        let kinds: Vec<_> = page.columns.iter().map(|column| column.kind).collect();
        assert_eq!(
            kinds,
            [
                ColumnKind::Integer,
                ColumnKind::Integer,
                ColumnKind::Text,
                ColumnKind::Boolean,
                ColumnKind::Decimal,
                ColumnKind::Json,
                ColumnKind::Timestamp,
                ColumnKind::Blob,
            ]
        );
        assert_eq!((page.key.as_slice(), page.references.len()), (["id".to_owned()].as_slice(), 0));
        import.clear().await.unwrap();
        // Written while the export runs: not in its snapshot.
        source.session.execute("INSERT INTO label VALUES (2, 'late')", vec![]).await.unwrap();
        for shape in export.tables().to_vec() {
            let rows = table(&mut export, &shape).await;
            import.write(&shape.name, &columns(&shape), rows).await.unwrap();
        }
        import.finish().await.unwrap();
        source.session.execute("DELETE FROM label WHERE name = 'late'", vec![]).await.unwrap();
        for query in [
            "SELECT * FROM page ORDER BY id",
            "SELECT * FROM label ORDER BY page",
            "SELECT count(*) AS n, sum(n) AS s FROM aside",
        ] {
            let (before, after) = (source.query(query, vec![]).await, target.query(query, vec![]).await);
            assert_eq!(before.unwrap(), after.unwrap(), "{query}");
        }
        let next = target.session.execute("INSERT INTO page (slug) VALUES ('next')", vec![]).await.unwrap();
        assert_eq!(next.last_insert_id, Some(701));
    }
}

#[tokio::test]
async fn what_leads_nowhere_or_does_not_fit_is_refused_as_a_whole() {
    let room = Room::new(Isolation::Prefix).await;
    let site = made(&room).await;
    fill(&site).await;
    let label = ["page".to_owned(), "name".to_owned()];
    let mut import = room.engine.import(&site.tenant).await.unwrap();
    import.clear().await.unwrap();
    import.write("label", &label, vec![vec![Value::Integer(1), text("orphan")]]).await.unwrap();
    let refused = import.finish().await;
    assert!(
        matches!(refused, Err(SqlError::Constraint { kind: ConstraintKind::ForeignKey, .. })),
        "{refused:?}"
    );
    let mut import = room.engine.import(&site.tenant).await.unwrap();
    import.clear().await.unwrap();
    for row in [vec![text("no number"), text("x")], vec![Value::Integer(1)]] {
        let refused = import.write("label", &label, vec![row]).await;
        assert!(matches!(refused, Err(SqlError::Parameter(_))), "{refused:?}");
    }
    for (table, columns) in [("nowhere", &label[..]), ("label", &["nothing".to_owned()][..])] {
        assert!(import.write(table, columns, vec![]).await.is_err());
    }
    drop(import);
    assert_eq!(site.query("SELECT * FROM label", vec![]).await.unwrap().rows.len(), 2, "nothing was changed");
}

#[tokio::test]
async fn a_dropped_export_ends_on_the_server() {
    let room = Room::new(Isolation::Database).await;
    let site = made(&room).await;
    fill(&site).await;
    let mut export = room.engine.export(&site.tenant).await.unwrap();
    let first = export.tables()[0].clone();
    assert_eq!(export.next(&first).await.unwrap().len(), 500);
    drop(export);
    room.until_quiet(&site).await;
    for _ in 0..500 {
        let usage = room.engine.pool_use();
        if usage.open == usage.idle {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("the connection is still held");
}
