//! Values of every kind, in and out.

use crate::setup::{Site, one};
use rowhouse_data::{Dialect, SqlError, Value};

const INSERT: &str = "INSERT INTO thing (id, a_boolean, an_integer, a_real, a_text, a_blob, a_decimal, a_timestamp, \
                      a_json, a_uuid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const SELECT: &str = "SELECT a_boolean, an_integer, a_real, a_text, a_blob, a_decimal, a_timestamp, a_json, a_uuid \
                      FROM thing WHERE id = $1";

const UUID: &str = "0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a10";

fn row(id: i64) -> Vec<Value> {
    vec![
        Value::Integer(id),
        Value::Boolean(true),
        Value::Integer(-42),
        Value::Real(0.1),
        Value::Text("it's \"text\" \\ with 'quotes' -- and $1 ? marks".into()),
        Value::Blob((0..=255).collect()),
        Value::Decimal("-12345678901234567890.0123456789".into()),
        Value::Timestamp(1_763_700_000_123_456),
        Value::Json(r#"{"a": [1, true, null, "ä"]}"#.into()),
        Value::Uuid(UUID.into()),
    ]
}

/// Spaces in JSON and trailing zeros of decimals differ between engines and mean nothing; MariaDB's results don't
/// tell JSON and UUIDs from text.
fn plain(value: Value) -> Value {
    match value {
        Value::Json(text) | Value::Text(text) if text.starts_with('{') => {
            Value::Json(text.chars().filter(|c| *c != ' ').collect())
        }
        Value::Text(text) if text == UUID => Value::Uuid(text),
        Value::Decimal(text) if text.contains('.') => {
            Value::Decimal(text.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        other => other,
    }
}

async fn stored(site: &Site, id: i64) -> Vec<Value> {
    let rows = site.db().query(SELECT, vec![Value::Integer(id)]).await.unwrap().rows;
    rows.into_iter().flatten().map(plain).collect()
}

pub(crate) async fn every_kind_comes_back(site: &Site) {
    let done = site.db().execute(INSERT, row(1)).await.unwrap();
    assert_eq!(done.rows_affected, 1);
    let expected: Vec<Value> = row(1).into_iter().skip(1).map(plain).collect();
    assert_eq!(stored(site, 1).await, expected);
    // Found again by each value.
    for (column, value) in [
        ("a_boolean", Value::Boolean(true)),
        ("a_text", row(1).remove(4)),
        ("a_timestamp", Value::Timestamp(1_763_700_000_123_456)),
        ("a_uuid", Value::Uuid(UUID.into())),
        ("a_blob", Value::Blob((0..=255).collect())),
    ] {
        let text = format!("SELECT id FROM thing WHERE {column} = $1");
        assert_eq!(one(site.db().query(&text, vec![value]).await), Value::Integer(1), "{column}");
    }
}

pub(crate) async fn nulls_of_every_kind(site: &Site) {
    let mut nulls = vec![Value::Null; 10];
    nulls[0] = Value::Integer(1);
    site.db().execute(INSERT, nulls).await.unwrap();
    assert_eq!(stored(site, 1).await, vec![Value::Null; 9]);
    let found = site.db().query("SELECT id FROM thing WHERE a_text IS NULL AND a_json IS NULL", vec![]).await;
    assert_eq!(one(found), Value::Integer(1));
}

pub(crate) async fn extremes(site: &Site) {
    let long = "x".repeat(200_000);
    for (id, integer, real, text, moment) in [
        (1, i64::MAX, f64::MAX, long.as_str(), 4_102_444_800_000_000),
        (2, i64::MIN, f64::MIN_POSITIVE, "", 0),
        (3, (1 << 53) + 1, -0.5, " leading and trailing ", 1),
    ] {
        let mut values = row(id);
        values[2] = Value::Integer(integer);
        values[3] = Value::Real(real);
        values[4] = Value::Text(text.into());
        values[5] = Value::Blob(vec![]);
        values[6] = Value::Decimal("0.0000000001".into());
        values[7] = Value::Timestamp(moment);
        site.db().execute(INSERT, values).await.unwrap();
        let found = stored(site, id).await;
        assert_eq!(found[1], Value::Integer(integer));
        assert_eq!(found[2], Value::Real(real));
        assert_eq!(found[3], Value::Text(text.into()));
        assert_eq!(found[4], Value::Blob(vec![]));
        assert_eq!(found[5], Value::Decimal("0.0000000001".into()));
        assert_eq!(found[6], Value::Timestamp(moment));
    }
}

pub(crate) async fn unicode(site: &Site) {
    let words = ["Žluťoučký kůň", "日本語", "👩‍👩‍👧‍👦 🏳️‍🌈", "e\u{301} ≠ é", "\u{202e}right", "İı", "ﷺ"];
    for (id, word) in (1..).zip(words) {
        let mut values = row(id);
        values[4] = Value::Text(word.into());
        site.db().execute(INSERT, values).await.unwrap();
        assert_eq!(stored(site, id).await[3], Value::Text(word.into()));
    }
    let many: Vec<Value> = words.iter().map(|word| Value::Text((*word).into())).collect();
    let places: Vec<String> = (1..=many.len()).map(|at| format!("${at}")).collect();
    let text = format!("SELECT count(*) FROM thing WHERE a_text IN ({})", places.join(", "));
    assert_eq!(one(site.db().query(&text, many).await), Value::Integer(words.len() as i64));
}

pub(crate) async fn parameters_are_checked(site: &Site) {
    site.articles(3).await;
    // Out of order, and one of them twice.
    let text = "SELECT count(*) FROM article WHERE id = $2 OR title = $1 OR id = $2";
    let params = vec![Value::Text("title 000000".into()), Value::Integer(2)];
    assert_eq!(one(site.db().query(text, params).await), Value::Integer(2));
    for params in [vec![], vec![Value::Integer(1)], vec![Value::Integer(1); 3]] {
        let refused = site.db().query(text, params).await;
        assert!(matches!(refused, Err(SqlError::Parameter(_))), "{refused:?}");
    }
    // A number where text is expected is the guest's mistake or means the text; never another row.
    let odd = site.db().query("SELECT id FROM article WHERE title = $1", vec![Value::Integer(0)]).await;
    if let Ok(rows) = odd {
        assert!(rows.rows.is_empty() || site.dialect == Dialect::Mysql, "{rows:?}");
    }
}
