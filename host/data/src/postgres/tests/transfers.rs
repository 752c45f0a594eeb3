//! Exports and imports: what goes out comes in again.

use super::*;
use crate::transfer::{Export, Import, RowBlock};

both!(what_goes_out_comes_in_again, an_import_that_fails_changes_nothing);

const TABLES: [&str; 4] = [
    "CREATE TABLE page (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent bigint REFERENCES page (id), \
     slug text NOT NULL UNIQUE, shown boolean NOT NULL DEFAULT true, at timestamptz, price numeric(10, 2), \
     day date, meta jsonb, key uuid, raw bytea, share double precision)",
    "CREATE TABLE label (page bigint NOT NULL REFERENCES page (id), name varchar(40) NOT NULL, \
     PRIMARY KEY (name, page))",
    "CREATE TABLE note (id serial, body text)",
    "CREATE TABLE empty (x integer)",
];

async fn filled(room: &Room) -> (Arc<Tenant>, Session) {
    let (tenant, session) = room.with_tables(&TABLES, |_| {}).await;
    let insert = "INSERT INTO page (parent, slug, at, price, day, meta, key, raw, share) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    for n in 1..=3 {
        let parent = if n == 1 { Value::Null } else { Value::Integer(1) };
        let values = vec![
            parent,
            text(&format!("page {n}")),
            Value::Timestamp(1_700_000_000_000_000 + n),
            Value::Decimal(format!("{n}.50")),
            text("2026-11-21"),
            Value::Json(format!("{{\"n\": {n}}}")),
            Value::Uuid("0198c0de-0000-7000-8000-000000000001".into()),
            Value::Blob(vec![0, 1, 255]),
            Value::Real(0.1),
        ];
        session.execute(insert, values).await.unwrap();
    }
    // A page that comes before its parent.
    session.execute("UPDATE page SET parent = 3 WHERE id = 1", vec![]).await.unwrap();
    session
        .execute("INSERT INTO label (page, name) VALUES (1, 'a'), (2, 'a'), (1, 'b')", vec![])
        .await
        .unwrap();
    let many: Vec<_> = (0..1_200).map(|n| format!("('note {n}')")).collect();
    let many = format!("INSERT INTO note (body) VALUES {}", many.join(", "));
    let physical = room.physical(&tenant, "note");
    room.as_owner(&tenant, &many.replace("note (", &format!("{physical} ("))).await;
    (tenant, session)
}

async fn read_all(room: &Room, tenant: &Arc<Tenant>) -> Vec<(String, Vec<String>, RowBlock)> {
    let mut export = room.engine.export(tenant).await.unwrap();
    let shapes = export.tables().to_vec();
    let mut all = Vec::new();
    for shape in shapes {
        let mut rows = RowBlock::new();
        loop {
            let block = export.next(&shape).await.unwrap();
            if block.is_empty() {
                break;
            }
            assert!(block.len() <= 500);
            rows.extend(block);
        }
        assert!(export.next(&shape).await.unwrap().is_empty());
        let columns = shape.columns.iter().map(|column| column.name.clone()).collect();
        all.push((shape.name.clone(), columns, rows));
    }
    all
}

async fn what_goes_out_comes_in_again(room: Room) {
    let (tenant, _session) = filled(&room).await;
    let all = read_all(&room, &tenant).await;
    let names: Vec<_> = all.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["empty", "note", "page", "label"], "referenced tables come first");
    let counts: Vec<_> = all.iter().map(|(_, _, rows)| rows.len()).collect();
    assert_eq!(counts, [0, 1_200, 3, 3]);

    let (target, session) = room.with_tables(&TABLES, |_| {}).await;
    session.execute("INSERT INTO page (slug) VALUES ('put here by a migration')", vec![]).await.unwrap();
    let mut import = room.engine.import(&target).await.unwrap();
    assert_eq!(import.tables().len(), 4);
    import.clear().await.unwrap();
    for (name, columns, rows) in &all {
        import.write(name, columns, rows.clone()).await.unwrap();
    }
    import.finish().await.unwrap();
    assert_eq!(read_all(&room, &target).await, all);
    let next = "INSERT INTO page (slug) VALUES ('next') RETURNING id";
    assert_eq!(rows(&session, next).await, [[Value::Integer(4)]], "sequences go on behind what came in");
    assert_eq!(
        rows(&session, "INSERT INTO note (body) VALUES ('x') RETURNING id").await,
        [[Value::Integer(1_201)]]
    );
    let orphan = session.execute("INSERT INTO label (page, name) VALUES (99, 'x')", vec![]).await;
    assert!(
        matches!(orphan, Err(SqlError::Constraint { kind: ConstraintKind::ForeignKey, .. })),
        "{orphan:?}"
    );
}

async fn an_import_that_fails_changes_nothing(room: Room) {
    let (tenant, session) = filled(&room).await;
    let columns = ["page".to_owned(), "name".to_owned()];
    let mut import = room.engine.import(&tenant).await.unwrap();
    import.clear().await.unwrap();
    import.write("label", &columns, vec![vec![Value::Integer(7), text("nowhere")]]).await.unwrap();
    let refused = import.finish().await;
    assert!(
        matches!(refused, Err(SqlError::Constraint { kind: ConstraintKind::ForeignKey, .. })),
        "{refused:?}"
    );
    let mut import = room.engine.import(&tenant).await.unwrap();
    assert!(import.write("nowhere", &columns, vec![]).await.is_ok(), "no rows, no table");
    let no_table = import.write("nowhere", &columns, vec![vec![Value::Null, Value::Null]]).await;
    assert!(matches!(no_table, Err(SqlError::Syntax(_))), "{no_table:?}");
    let misfit = import.write("label", &columns, vec![vec![text("no number"), text("x")]]).await;
    assert!(matches!(misfit, Err(SqlError::Parameter(_))), "{misfit:?}");
    drop(import);
    room.quiet(&tenant).await;
    assert_eq!(rows(&session, "SELECT count(*) FROM label").await, [[Value::Integer(3)]]);
    let orphan = session.execute("INSERT INTO label (page, name) VALUES (99, 'x')", vec![]).await;
    assert!(matches!(orphan, Err(SqlError::Constraint { .. })), "keys are checked at once again: {orphan:?}");
}
