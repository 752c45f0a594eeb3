//! Results read page by page.

use super::*;

/// 100,000 rows of 500 bytes.
const MANY: &str = "SELECT a.id, a.title, repeat('x', 500) AS body FROM article AS a CROSS JOIN \
                    (SELECT id FROM article ORDER BY id LIMIT 100) AS b";

#[tokio::test]
async fn many_rows_take_little_memory() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1_000, |_| {}).await;
    let mut cursor = site.session.open_cursor(MANY, vec![]).await.unwrap();
    let before = resident();
    let (mut seen, mut most) = (0, 0);
    loop {
        let (rows, more) = page(&mut cursor, 1_000).await;
        seen += rows.len();
        most = most.max(resident().saturating_sub(before));
        if !more {
            break;
        }
    }
    assert_eq!(seen, 100_000);
    assert!(most < 24 << 20, "grew by {most} bytes over 50 MB of rows");
    assert_eq!(cursor.next(1).await, Err(SqlError::Closed));
    assert_eq!(room.engine.pool_use().open, room.engine.pool_use().idle, "the connection is kept");
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn pages_over_one_snapshot() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(25, |_| {}).await;
        let mut cursor =
            site.session.open_cursor("SELECT id FROM article ORDER BY id", vec![]).await.unwrap();
        let mut seen = Vec::new();
        for expected in [(10, true), (10, true), (5, false)] {
            let (rows, more) = page(&mut cursor, 10).await;
            assert_eq!((rows.len(), more), expected);
            seen.extend(rows);
            site.session.execute("DELETE FROM article WHERE id > 12", vec![]).await.unwrap();
        }
        assert_eq!(seen.len(), 25);
        assert_eq!(cursor.next(10).await, Err(SqlError::Closed));
        let refused = site.session.open_cursor("DELETE FROM article", vec![]).await.err();
        assert!(matches!(refused, Some(SqlError::Denied(_))), "{refused:?}");
        let refused = site.session.open_cursor("SELECT nothing FROM article", vec![]).await.err();
        assert!(matches!(refused, Some(SqlError::Syntax(_))), "{refused:?}");
        let none = "SELECT id FROM article WHERE id < $1";
        let mut empty = site.session.open_cursor(none, vec![Value::Integer(0)]).await.unwrap();
        let (rows, more) = packed::decode(&empty.next(0).await.unwrap()).unwrap();
        assert_eq!((rows.columns, more), (vec!["id".to_owned()], false));
    }
}

#[tokio::test]
async fn a_dropped_cursor_ends_on_the_server() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1_000, |limits| limits.connections = 1).await;
    let mut cursor = site.session.open_cursor(MANY, vec![]).await.unwrap();
    page(&mut cursor, 10).await;
    drop(cursor);
    room.until_quiet(&site).await;
    // The tenant's only place is free again.
    assert_eq!(site.query("SELECT 1 AS n", vec![]).await.unwrap().rows, [[Value::Integer(1)]]);
}
