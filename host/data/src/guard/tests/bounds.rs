//! Texts that are too long or too deep end as a limit, on a small stack and soon.

use super::*;
use crate::LimitKind;

/// The stack of a guest's fibre, about.
const STACK: usize = 1024 * 1024;

/// Runs with so much stack; an overflow would end the test process.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap();
}

#[test]
fn deep_texts_end_as_a_limit() {
    on_a_small_stack(|| {
        let n = 40_000;
        for text in [
            format!("SELECT 1{}", "+1".repeat(n)),
            format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)),
            format!("SELECT {}1", "NOT ".repeat(n / 2)),
            format!("SELECT {}1", "- ".repeat(n)),
            format!("SELECT 1 WHERE 1=1{}", " OR 1=1".repeat(n / 4)),
            format!("SELECT 1{}", " UNION SELECT 1, 1".repeat(n / 10)),
            format!("SELECT {}1{}", "abs(".repeat(n / 2), ")".repeat(n / 2)),
            format!("SELECT {}1{}", "CASE WHEN 1 THEN ".repeat(n / 10), " END".repeat(n / 10)),
            format!("SELECT * FROM {}t{}", "(".repeat(n), ")".repeat(n)),
            format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(n / 10), ")".repeat(n / 10)),
            format!("SELECT a{}", " IS NULL".repeat(n / 4)),
            format!("SELECT a{}", " COLLATE nocase".repeat(n / 10)),
            "(".repeat(n),
            " ".repeat(100_001),
        ] {
            for dialect in ALL {
                let head = text.get(..30).unwrap();
                let judged = guest(dialect, Naming::Prefixed, &text);
                assert_eq!(
                    judged.map(|_| ()),
                    Err(SqlError::Limit(LimitKind::Complexity)),
                    "{dialect:?} {head}"
                );
            }
        }
    });
}

/// The deepest that passes the first look is walked, compared and dropped on a small stack.
#[test]
fn what_is_just_not_too_deep_passes() {
    on_a_small_stack(|| {
        let deep = [
            format!("SELECT 1{} AS a", "+1".repeat(290)),
            format!("SELECT 1 AS a WHERE 1=1{}", " OR 1=1".repeat(140)),
            format!("SELECT {}1{} AS a", "(".repeat(20), ")".repeat(20)),
            format!("SELECT {}1{}{} AS a", "(".repeat(20), "+1".repeat(200), ")".repeat(20)),
            format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(40)),
            format!("INSERT INTO t (a, b) VALUES (1, -1){}", ", (1, -1)".repeat(8_000)),
            format!("SELECT a FROM t WHERE a IN (1{})", ", -2".repeat(8_000)),
        ];
        for text in deep {
            for dialect in ALL {
                let head = text.get(..30).unwrap();
                assert!(guest(dialect, Naming::Prefixed, &text).is_ok(), "{dialect:?} {head}");
            }
        }
    });
}

/// The parser tries two readings of a parenthesis after FROM and elsewhere; they must not multiply.
#[test]
fn nesting_does_not_multiply_the_work() {
    let started = std::time::Instant::now();
    for depth in [12, 23] {
        for (open, close) in
            [("(", ")"), ("(SELECT * FROM ", ") AS x"), ("((SELECT 1) UNION ", ")"), ("abs((", "))")]
        {
            for start in ["SELECT * FROM ", "SELECT ", "SELECT 1 WHERE a IN ", "", "SELECT * FROM t JOIN "] {
                for end in [")", "t)", "SELECT 1", ""] {
                    let text = format!("{start}{}{end}{}", open.repeat(depth), close.repeat(depth));
                    for dialect in ALL {
                        drop(guest(dialect, Naming::Plain, &text));
                    }
                }
            }
        }
    }
    // 480 texts; one that multiplied would take minutes by itself.
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
