//! A tenant moves from engine to engine and back: what it holds is the same at every stop.

use crate::setup::{Site, one, servers};
use rowhouse_base::id::TenantId;
use rowhouse_data::{
    ArchiveFacts, Data, DataConfig, DataKey, Dialect, Isolation, TableContent, TenantDb, Value,
};
use rowhouse_tenant::Tenant;
use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;

/// Every pair.
const STOPS: [(Dialect, Isolation); 6] = [
    (Dialect::Postgresql, Isolation::Database),
    (Dialect::Mysql, Isolation::Database),
    (Dialect::Sqlite, Isolation::Prefix),
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
    let mut newest = next_remark(&mut data.open(&tenant)).await;
    for (engine, isolation) in STOPS {
        let next = Site::on(&tenant, engine, isolation);
        data.provision(&next).await.unwrap();
        data.migrate(&next, &crate::setup::migrations()).await.unwrap();
        data.transfer(&tenant, &next).await.unwrap();
        assert_eq!(data.content(&next).await.unwrap(), first, "on {engine:?}, {isolation}");
        data.remove_database(&tenant).await.unwrap();
        let copied = comes_out_of_an_archive(&data, &next, &first).await;
        assert!(copied > newest, "key {newest} was given out twice on {engine:?}, {isolation}");
        let given = next_remark(&mut data.open(&next)).await;
        assert!(given > newest, "key {newest} was given out twice on {engine:?}, {isolation}");
        newest = given;
        tenant = next;
    }
    assert_eq!(data.content(&tenant).await.unwrap(), first);
    assert_eq!(std::fs::read(&kept).unwrap(), b"a photo", "files don't move");
    data.remove(&tenant).await.unwrap();
}

/// The key that the engine gives the next remark. The remark is gone afterwards, so that only the engine's counter
/// knows of it.
async fn next_remark(db: &mut TenantDb) -> i64 {
    let remark = "INSERT INTO remark (article_id, body) VALUES (1, 'new')";
    db.execute(remark, vec![]).await.unwrap();
    let id = one(db.query("SELECT id FROM remark WHERE body = 'new'", vec![]).await);
    db.execute("DELETE FROM remark WHERE body = 'new'", vec![]).await.unwrap();
    match id {
        Value::Integer(id) => id,
        other => panic!("a key is {other:?}"),
    }
}

/// Exports the tenant, imports it as another one beside it, and compares. Returns the next key there.
async fn comes_out_of_an_archive(data: &Data, tenant: &Arc<Tenant>, content: &[TableContent]) -> i64 {
    let mut file = tempfile::tempfile().unwrap();
    let facts = ArchiveFacts::of(tenant, None);
    data.export(tenant, facts, file.try_clone().unwrap()).await.unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let archive = data.read_archive(file).await.unwrap();
    let copy = Arc::new(Tenant { id: TenantId::new(), ..Tenant::clone(tenant) });
    data.provision(&copy).await.unwrap();
    data.migrate(&copy, &crate::setup::migrations()).await.unwrap();
    data.import(&copy, archive).await.unwrap();
    assert_eq!(data.content(&copy).await.unwrap(), content, "{}", tenant.data_server);
    assert_eq!(data.content(tenant).await.unwrap(), content, "the original is as it was");
    let photo = data.files(&copy).await.unwrap().path.join("photo.jpg");
    assert_eq!(std::fs::read(photo).unwrap(), b"a photo");
    let next = next_remark(&mut data.open(&copy)).await;
    data.remove(&copy).await.unwrap();
    assert_eq!(data.rescan(&copy).await.unwrap().entries, 0, "something is left behind");
    next
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
