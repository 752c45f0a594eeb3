//! A tenant moves from engine to engine and back: what it holds is the same at every stop.

use crate::setup::{Site, servers};
use rowhouse_data::{Data, DataConfig, DataKey, Dialect, Isolation, Value};
use rowhouse_tenant::Tenant;
use std::sync::Arc;

/// Every pair whose tenants can be exported. Those that share a SQLite file can't.
const STOPS: [(Dialect, Isolation); 6] = [
    (Dialect::Postgresql, Isolation::Database),
    (Dialect::Mysql, Isolation::Database),
    (Dialect::Sqlite, Isolation::Database),
    (Dialect::Mysql, Isolation::Prefix),
    (Dialect::Postgresql, Isolation::Prefix),
    (Dialect::Sqlite, Isolation::Database),
];

const THING: &str = "INSERT INTO thing (id, a_boolean, an_integer, a_real, a_text, a_blob, a_decimal, a_timestamp, \
                     a_json, a_uuid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_the_same_after_every_move() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DataConfig::new(dir.path());
    config.servers = servers(&STOPS).await;
    config.key = DataKey::from_bytes([9; 32]);
    let data = Data::new(config).unwrap();
    let mut tenant = Site::unplaced();
    data.provision(&tenant).await.unwrap();
    data.migrate(&tenant, &crate::setup::migrations()).await.unwrap();
    fill(&data, &tenant).await;
    let kept = data.files(&tenant).await.unwrap().path.join("photo.jpg");
    std::fs::write(&kept, b"a photo").unwrap();
    let first = data.content(&tenant).await.unwrap();
    assert_eq!(first.iter().map(|table| table.rows).sum::<u64>(), 303);
    for (engine, isolation) in STOPS {
        let next = Site::on(&tenant, engine, isolation);
        data.provision(&next).await.unwrap();
        data.migrate(&next, &crate::setup::migrations()).await.unwrap();
        data.transfer(&tenant, &next).await.unwrap();
        assert_eq!(data.content(&next).await.unwrap(), first, "on {engine:?}, {isolation}");
        data.remove_database(&tenant).await.unwrap();
        // It can be written: sequences go on past what came along.
        let remark = "INSERT INTO remark (article_id, body) VALUES (1, 'new')";
        let mut db = data.open(&next);
        db.execute(remark, vec![]).await.unwrap();
        db.execute("DELETE FROM remark WHERE body = 'new'", vec![]).await.unwrap();
        tenant = next;
    }
    assert_eq!(data.content(&tenant).await.unwrap(), first);
    assert_eq!(std::fs::read(&kept).unwrap(), b"a photo", "files don't move");
    data.remove(&tenant).await.unwrap();
}

async fn fill(data: &Data, tenant: &Arc<Tenant>) {
    let mut db = data.open(tenant);
    for id in 0..100_i64 {
        let title = vec![Value::Integer(id), Value::Text(format!("title {id} – 日本語"))];
        db.execute("INSERT INTO article (id, title) VALUES ($1, $2)", title).await.unwrap();
        let body = if id % 3 == 0 { Value::Null } else { Value::Text("it's \\ a \"remark\"\n".repeat(20)) };
        let remark = vec![Value::Integer(id), body];
        db.execute("INSERT INTO remark (article_id, body) VALUES ($1, $2)", remark).await.unwrap();
        db.execute(THING, thing(id)).await.unwrap();
        // A request may run 500 statements.
        db = data.open(tenant);
    }
    let extremes =
        [(i64::MAX, f64::MAX, 0), (i64::MIN, f64::MIN_POSITIVE, 1), (0, -0.5, 4_102_444_800_000_000)];
    for (id, (integer, real, moment)) in (1_000..).zip(extremes) {
        let mut values = thing(id);
        values[2] = Value::Integer(integer);
        values[3] = Value::Real(real);
        values[7] = Value::Timestamp(moment);
        db.execute(THING, values).await.unwrap();
    }
}

fn thing(id: i64) -> Vec<Value> {
    if id % 10 == 9 {
        let mut nulls = vec![Value::Null; 10];
        nulls[0] = Value::Integer(id);
        return nulls;
    }
    vec![
        Value::Integer(id),
        Value::Boolean(id % 2 == 0),
        Value::Integer(-id),
        Value::Real(id as f64 / 7.0),
        Value::Text(format!("👩‍👩‍👧‍👦 {id}")),
        Value::Blob((0..=255).cycle().take(id as usize * 10).collect()),
        Value::Decimal(format!("{id}.{:010}", id * 37)),
        Value::Timestamp(1_763_700_000_000_000 + id),
        Value::Json(format!(r#"{{"b": [1, 2.50, {id}], "a": {{"ä": null}}}}"#)),
        Value::Uuid(format!("0197a2c4-6f1e-7a53-9d2b-{id:012x}")),
    ]
}
