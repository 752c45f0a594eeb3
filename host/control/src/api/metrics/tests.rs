//! The text as a scraper reads it, and who gets it.

use super::*;
use crate::stub::House;
use crate::types::CreateToken;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use rowhouse_base::id::TenantId;
use std::collections::{HashMap, HashSet};
use tower::ServiceExt as _;

/// A family as it was read: its type, and its samples by their labels.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: HashMap<Vec<(String, String)>, u64>,
}

fn is_name(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b':');
    text.bytes().next().is_some_and(letter) && text.bytes().all(|b| letter(b) || b.is_ascii_digit())
}

/// Reads `{a="b",c="d"}` and what comes after it.
fn labels(text: &str) -> (Vec<(String, String)>, &str) {
    let Some(mut rest) = text.strip_prefix('{') else { return (vec![], text) };
    let mut found = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label has a value");
        assert!(is_name(name), "{name}");
        let (mut value, mut letters) = (String::new(), after.char_indices());
        let end = loop {
            let (at, letter) = letters.next().expect("a value ends");
            match letter {
                '"' => break at + 1,
                '\\' => value.push(match letters.next().expect("an escape has a letter").1 {
                    'n' => '\n',
                    letter @ ('\\' | '"') => letter,
                    other => panic!("there is no escape {other}"),
                }),
                letter => value.push(letter),
            }
        };
        found.push((name.to_owned(), value));
        match after[end..].split_at(1) {
            (",", more) => rest = more,
            ("}", more) => return (found, more),
            (other, _) => panic!("{other} after a label"),
        }
    }
}

/// Reads a text as strictly as the format is written down.
fn parse(text: &str) -> HashMap<String, Family> {
    assert!(text.ends_with('\n'));
    let mut families: HashMap<String, Family> = HashMap::new();
    let mut helped = HashSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !words.is_empty() && helped.insert(name.to_owned()), "{line}");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(name) && ["counter", "gauge"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let family = Family { kind: kind.to_owned(), ..Family::default() };
            assert!(families.insert(name.to_owned(), family).is_none(), "{line}");
            name.clone_into(&mut current);
            continue;
        }
        let end = line.find(['{', ' ']).unwrap();
        assert_eq!(line[..end], current, "a sample stands below its family");
        let (labels, rest) = labels(&line[end..]);
        let value = rest.strip_prefix(' ').unwrap().parse().unwrap();
        let before = families.get_mut(&current).unwrap().samples.insert(labels, value);
        assert_eq!(before, None, "{line} twice");
    }
    families
}

fn one(families: &HashMap<String, Family>, name: &str) -> u64 {
    let unlabelled: Vec<(String, String)> = Vec::new();
    families[name].samples[&unlabelled]
}

struct Fixed;

impl Measures for Fixed {
    fn read(&self) -> Vec<Measure> {
        let (name, help) = ("process_open_fds", "Open\nfiles\\");
        vec![Measure { name, help, kind: MeasureKind::Gauge, value: 7 }]
    }
}

async fn ask(house: &House, token: Option<&str>) -> (StatusCode, String, String) {
    let mut request = Request::get(PATH).header("host", "localhost:8080");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let router = metrics_router(Arc::clone(&house.control), Arc::new(Fixed));
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let kind = response.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, kind, String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn labels_keep_what_is_in_them() {
    let mut text = Exposition::default();
    let hostile = "a\"b\\c\nd} 1";
    text.family("x", "of\nall \\ kinds", MeasureKind::Gauge);
    text.sample("x", &[("one", hostile), ("two", "")], 3);
    let key = vec![("one".to_owned(), hostile.to_owned()), ("two".to_owned(), String::new())];
    assert_eq!(parse(&text.0)["x"].samples[&key], 3);
}

#[tokio::test]
async fn a_scraper_reads_the_numbers() {
    let house = House::new().await;
    for name in ["chess", "choir"] {
        house.create(name).await.unwrap();
    }
    house.control.suspend(&house.operator, "choir").await.unwrap();
    let numbers = |hits, bytes| CacheNumbers { hits, bytes, ..CacheNumbers::default() };
    house.rooms.cached.lock().extend([
        (house.served("chess").unwrap().id, numbers(5, 10)),
        (house.served("choir").unwrap().id, numbers(1, 20)),
        // Of a tenant that is gone.
        (TenantId::new(), numbers(9, 30)),
    ]);
    let (status, kind, text) = ask(&house, Some(house.token.reveal())).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, FORMAT));
    let families = parse(&text);
    assert_eq!(one(&families, "rowhouse_generation"), house.control.directory.snapshot().generation());
    assert_eq!((one(&families, "rowhouse_cache_bytes"), one(&families, "process_open_fds")), (60, 7));
    let labelled = |family: &str, label: &str, text: &str| {
        families[family].samples.get(&vec![(label.to_owned(), text.to_owned())]).copied()
    };
    for (state, count) in [("active", 1), ("suspended", 1), ("trashed", 0)] {
        assert_eq!(labelled("rowhouse_tenants", "state", state), Some(count), "{state}");
    }
    assert_eq!(labelled("rowhouse_tenant_cache_hits_total", "tenant", "chess"), Some(5));
    assert_eq!(families["rowhouse_tenant_cache_hits_total"].samples.len(), 2);
    assert_eq!(families["rowhouse_tenant_cache_hits_total"].kind, "counter");
}

#[tokio::test]
async fn metrics_are_for_operators() {
    let house = House::new().await;
    let wish = CreateToken { name: "scraper".into(), scopes: vec!["read".into()], expires_at: None };
    let reader = house.control.create_token(&house.operator, wish).await.unwrap().token;
    for token in [None, Some("rh_wrong"), Some("")] {
        let (status, kind, text) = ask(&house, token).await;
        assert_eq!((status, kind.as_str()), (StatusCode::UNAUTHORIZED, "application/problem+json"));
        assert!(!text.contains("rowhouse_"), "{text}");
    }
    assert_eq!(ask(&house, Some(&reader)).await.0, StatusCode::OK);
}
