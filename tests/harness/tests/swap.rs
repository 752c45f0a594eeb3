//! Another release while visitors come: no request fails, and every site ends on the new one.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use anyhow::{Context, Result};
use rowhouse_tests::{TestServer, ended, guest};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// A release differs by its bytes; a custom section that nobody reads makes another one of a guest.
fn variant(bytes: &[u8], number: u8) -> Vec<u8> {
    let mut other = bytes.to_vec();
    // Section 0 (custom), 6 bytes: a name of 4 letters and one byte.
    other.extend_from_slice(&[0, 6, 4, b'v', b'e', b'r', b's', number]);
    other
}

fn tenants() -> usize {
    std::env::var("ROWHOUSE_TEST_TENANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

#[test]
fn ten_swaps_under_load_fail_no_request() -> Result<()> {
    let server = TestServer::start()?;
    let original = guest("page")?.bytes;
    server.push("page", "0.0.0", &original)?;
    let names: Vec<String> = (0..tenants()).map(|number| format!("site-{number}")).collect();
    for name in &names {
        server.tenant(name, Some("page@0.0.0"))?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (served, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let visitors: Vec<_> = (0..4_usize)
        .map(|first| {
            let (client, names) = (server.visitor(), names.clone());
            let (stop, served, failed) = (Arc::clone(&stop), Arc::clone(&served), Arc::clone(&failed));
            thread::spawn(move || {
                for name in names.iter().cycle().skip(first) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let is_fine = client.get(&format!("/{name}/")).is_ok_and(|answer| answer.status == 200);
                    let count = if is_fine { &served } else { &failed };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let swapped = swap_ten_times(&server, &original);
    stop.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.join().map_err(|_panic| anyhow::anyhow!("a visitor panicked"))?;
    }
    let last = swapped?;
    println!("{} requests served during ten swaps of {} sites", served.load(Ordering::Relaxed), names.len());
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    assert!(served.load(Ordering::Relaxed) > 100);
    let operator = server.operator()?;
    for name in &names {
        let tenant = operator.get(&format!("/-/api/v1/tenants/{name}"))?.expect(200)?.json()?;
        assert_eq!(tenant["release"]["name"], json!(last), "{name}");
    }
    Ok(())
}

fn swap_ten_times(server: &TestServer, original: &[u8]) -> Result<String> {
    let mut last = String::new();
    for number in 1..=10_u8 {
        last = format!("page@0.0.{number}");
        server.push("page", &format!("0.0.{number}"), &variant(original, number))?;
        let done = server.activate(&json!({ "release": last, "tenants": null }))?;
        assert_eq!(done["failed"], json!(0), "{done}");
        assert_eq!(done["moved"], json!(tenants()), "{done}");
    }
    Ok(last)
}

#[test]
fn one_site_can_move_alone_and_a_rollback_brings_it_back() -> Result<()> {
    let server = TestServer::start()?;
    let original = guest("page")?.bytes;
    server.push("page", "1.0.0", &original)?;
    server.push("page", "2.0.0", &variant(&original, 2))?;
    for name in ["one", "two"] {
        server.tenant(name, Some("page@1.0.0"))?;
    }
    let operator = server.operator()?;
    let body = json!({ "release": "page@2.0.0", "tenants": ["one"] });
    let done = server.activate(&body)?;
    let release_of = |name: &str| -> Result<String> {
        let tenant = operator.get(&format!("/-/api/v1/tenants/{name}"))?.expect(200)?.json()?;
        Ok(tenant["release"]["name"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!((release_of("one")?.as_str(), release_of("two")?.as_str()), ("page@2.0.0", "page@1.0.0"));
    let id = done["id"].as_str().context("a run has an id")?;
    let back = operator.send("POST", &format!("/-/api/v1/runs/{id}/rollback"), None)?.expect(201)?.json()?;
    assert_eq!(ended(&operator, &back)?["moved"], json!(1));
    assert_eq!(release_of("one")?, "page@1.0.0");
    Ok(())
}

#[test]
fn a_module_with_faults_is_refused_with_all_of_them() -> Result<()> {
    let server = TestServer::start()?;
    let operator = server.operator()?;
    let path = "/-/api/v1/releases?name=bad&version=1.0.0";
    let refused = operator.post_bytes(path, "application/wasm", b"not wasm at all")?.expect(422)?;
    assert!(refused.header("content-type").starts_with("application/problem+json"));
    assert!(refused.text().contains("not a WebAssembly component"), "{}", refused.text());
    // A release never changes.
    server.push("page", "1.0.0", &guest("page")?.bytes)?;
    let other = variant(&guest("page")?.bytes, 1);
    operator
        .post_bytes("/-/api/v1/releases?name=page&version=1.0.0", "application/wasm", &other)?
        .expect(409)?;
    Ok(())
}
