//! Every route of the OpenAPI document without a credential, with a bad one and with too little of one; and
//! the main ways through.

use super::*;
use crate::stub::House;
use crate::tests::on_each_engine;
use crate::types::CreateToken;
use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode};
use rowhouse_base::secret::Secret;
use rowhouse_identity::Scope;
use serde_json::{Value, json};
use tower::ServiceExt as _;

struct Answered {
    status: StatusCode,
    kind: String,
    body: Value,
}

async fn send(house: &House, request: Request<Body>) -> Answered {
    let response = router(Arc::clone(&house.control)).oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    Answered {
        status,
        kind: kind.unwrap_or_default(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

fn request(method: &Method, path: &str, token: Option<&str>, body: &Value) -> Request<Body> {
    let mut request =
        Request::builder().method(method).uri(format!("{BASE}{path}")).header("host", "localhost:8080");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(body.to_string())).unwrap()
}

async fn call(house: &House, method: Method, path: &str, body: Value) -> Answered {
    send(house, request(&method, path, Some(house.token.reveal()), &body)).await
}

/// Every operation that the document lists.
fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "patch", "delete"] {
            if item.get(method).is_some() {
                let path = path.replace("{name}", "nobody").replace("{user}", "nobody");
                let path = path.replace("{release}", "site@9").replace("{id}", "nothing");
                operations.push((method.to_uppercase().parse().unwrap(), path));
            }
        }
    }
    // A route without an entry in the document would be walked by no test.
    let source = include_str!("../api.rs");
    let verbs = ["get(", "post(", "put(", "patch(", "delete("];
    let routed: usize = source
        .lines()
        .filter(|line| line.trim_start().starts_with(".route("))
        .flat_map(|line| verbs.map(|verb| line.matches(verb).count()))
        .sum();
    assert_eq!(operations.len(), routed, "the document lists every route");
    operations
}

async fn every_route_asks_for_a_credential() {
    let house = House::new().await;
    let ask = CreateToken { name: "reader".into(), scopes: vec!["read".into()], expires_at: None };
    let reader = house.control.create_token(&house.operator, ask).await.unwrap().token;
    for (method, path) in operations().into_iter().filter(|(_, path)| path != "/openapi.json") {
        let empty = json!({});
        for token in [None, Some("rh_wrong"), Some("")] {
            let answer = send(&house, request(&method, &path, token, &empty)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} {token:?}");
            assert_eq!(answer.kind, "application/problem+json", "{method} {path}");
        }
        let answer = send(&house, request(&method, &path, Some(&reader), &empty)).await;
        if method == Method::GET {
            assert!(matches!(answer.status.as_u16(), 200 | 404), "{method} {path} {}", answer.status);
        } else {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    let document = send(&house, request(&Method::GET, "/openapi.json", None, &json!(null))).await;
    assert_eq!(document.status, StatusCode::OK);
    assert!(document.body["openapi"].as_str().unwrap().starts_with("3."));
}

async fn a_session_needs_proof_of_its_origin() {
    let house = House::new().await;
    let user = json!({"name": "boss", "super_user": true, "password": "correct horse"});
    assert_eq!(call(&house, Method::POST, "/users", user).await.status, StatusCode::CREATED);
    let session = house
        .control
        .identity()
        .sign_in(Scope::Console, "boss", Secret::from_text("correct horse"), None)
        .await
        .unwrap();
    for (name, value, expected) in [
        ("sec-fetch-site", "same-origin", StatusCode::CREATED),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("origin", "http://localhost:8080", StatusCode::CREATED),
        ("origin", "http://evil.example", StatusCode::FORBIDDEN),
        ("x-nothing", "1", StatusCode::FORBIDDEN),
    ] {
        let mut request = request(&Method::POST, "/tokens", None, &json!({"name": "t", "scopes": ["read"]}));
        let cookie = format!("rowhouse_session={}", session.secret.reveal());
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        request.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(send(&house, request).await.status, expected, "{name}: {value}");
    }
}

async fn from_a_release_to_a_receipt() {
    let house = House::new().await;
    let push = |version: &str, component: &str| {
        let mut request =
            request(&Method::POST, &format!("/releases?name=site&version={version}"), None, &json!(null));
        *request.body_mut() = Body::from(component.to_owned());
        let token = format!("Bearer {}", house.token.reveal());
        request.headers_mut().insert("authorization", token.parse().unwrap());
        request
    };
    assert_eq!(send(&house, push("1.0.0", "module 1")).await.status, StatusCode::CREATED);
    assert_eq!(send(&house, push("1.0.0", "module 1")).await.status, StatusCode::OK);
    assert_eq!(send(&house, push("1.0.0", "module 2")).await.status, StatusCode::CONFLICT);
    let bad = send(&house, push("2.0.0", "bad one two")).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.body["errors"].as_array().unwrap().len(), 2);

    let made = call(&house, Method::POST, "/tenants", json!({"name": "club", "release": "site@1.0.0"})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.body["release"]["name"], "site@1.0.0");
    let begun = call(&house, Method::POST, "/runs", json!({"release": "site@1.0.0"})).await;
    assert_eq!(begun.status, StatusCode::CREATED);
    assert_eq!(house.run_ended(begun.body["id"].as_str().unwrap()).await.state, "finished");
    assert_eq!(call(&house, Method::GET, "/tenants/club/usage", json!(null)).await.body["files"], 2);
    let gone = call(&house, Method::DELETE, "/tenants/club?confirm=club&now=true", json!(null)).await;
    assert_eq!((gone.status, &gone.body["found_after"]["files"]), (StatusCode::OK, &json!(0)));
    let trail = call(&house, Method::GET, "/audit?tenant=club", json!(null)).await;
    assert_eq!(trail.body["items"][0]["action"], "tenant.delete");
    assert_eq!(trail.body["items"][0]["actor"], "token operator");
}

async fn wrong_requests_are_told_what_is_wrong() {
    let house = House::new().await;
    let wrong = json!({"name": "-", "addresses": ["a b", "ok.example", "*.com"], "time_zone": "Mars/Base"});
    let answer = call(&house, Method::POST, "/tenants", wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<&str> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["name", "addresses[0]", "addresses[2]", "time_zone"]);
    assert!(!answer.body["instance"].as_str().unwrap().is_empty());
    for (method, path, body, status) in [
        (Method::POST, "/tenants", "{", 400),
        (Method::POST, "/tenants", "{\"nam\": 1}", 422),
        (Method::GET, "/tenants?limit=0", "", 422),
        (Method::GET, "/tenants?limit=many", "", 422),
        (Method::GET, "/tenants/nobody", "", 404),
        (Method::GET, "/nothing", "", 404),
        (Method::PUT, "/tenants", "", 405),
        (Method::DELETE, "/tenants/nobody?confirm=nobody", "", 404),
        (Method::POST, "/tenants/nobody/cache/flush", "{}", 404),
        (Method::POST, "/tenants/nobody/cache/flush", "{\"tags\": [\"a\"]}", 422),
    ] {
        let mut request = request(&method, path, Some(house.token.reveal()), &json!(null));
        *request.body_mut() = Body::from(body);
        let answer = send(&house, request).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}");
        assert_eq!(answer.kind, "application/problem+json", "{method} {path}");
    }
    let mut request = request(&Method::POST, "/users", Some(house.token.reveal()), &json!(null));
    *request.body_mut() = Body::from(vec![b' '; (1 << 20) + 1]);
    assert_eq!(send(&house, request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

async fn a_change_says_who_has_it() {
    let house = House::new().await;
    house.control.set_serving();
    house.control.beat().await.unwrap();
    let make = |path: &'static str, name: &str| {
        request(&Method::POST, path, Some(house.token.reveal()), &json!({"name": name}))
    };
    let sent = router(Arc::clone(&house.control)).oneshot(make("/tenants", "club")).await.unwrap();
    assert!(!sent.headers().contains_key(GENERATION), "nobody asked");
    // This server has beaten last before the change.
    let sent = router(Arc::clone(&house.control)).oneshot(make("/tenants?wait=0", "chess")).await.unwrap();
    assert_eq!(sent.status(), StatusCode::CREATED);
    let generation = house.control.store.generation().await.unwrap();
    assert_eq!(sent.headers().get(GENERATION).unwrap(), generation.to_string().as_str());
    assert_eq!(sent.headers().get(BEHIND).unwrap(), "rowhouse");
    for wrong in ["/tenants?wait=51", "/tenants?wait=", "/tenants?wait=soon"] {
        assert_eq!(
            send(&house, make(wrong, "choir")).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{wrong}"
        );
    }
    let listed = call(&house, Method::GET, "/servers", json!(null)).await;
    assert_eq!(listed.body["items"][0]["is_this"], true);
    assert_eq!(listed.body["items"][0]["state"], "serving");
    let told = call(&house, Method::POST, "/servers/rowhouse/drain", json!(null)).await;
    assert_eq!((told.status, &told.body["state"]), (StatusCode::OK, &json!("draining")));
}

/// The events of a stream, each its name and its data.
async fn events(house: &House, path: &str) -> Vec<(String, Value)> {
    let ask = request(&Method::GET, path, Some(house.token.reveal()), &json!(null));
    let response = router(Arc::clone(&house.control)).oneshot(ask).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned())
    };
    let told = text.split("\n\n").filter_map(|event| {
        Some((field(event, "event:")?, serde_json::from_str(&field(event, "data:")?).unwrap()))
    });
    told.collect()
}

async fn a_run_is_started_followed_and_resumed() {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    for name in ["chess", "choir", "rowing"] {
        house.create(name).await.unwrap();
    }
    house.rooms.fail(crate::stub::Fault::MigrateOf("choir".into()));
    let begun = call(&house, Method::POST, "/runs", json!({"release": "site@1.0.0"})).await;
    assert_eq!((begun.status, &begun.body["total"]), (StatusCode::CREATED, &json!(3)), "{}", begun.body);
    let path = format!("/runs/{}", begun.body["id"].as_str().unwrap());
    let told = events(&house, &format!("{path}/events")).await;
    let (last, before) = told.split_last().unwrap();
    assert!(before.iter().all(|(name, run)| name == "progress" && run["ended_at"].is_null()), "{told:?}");
    assert_eq!((last.0.as_str(), &last.1["state"]), ("ended", &json!("failed")));
    assert_eq!((&last.1["moved"], &last.1["failed"], &last.1["left"]), (&json!(2), &json!(1), &json!(0)));
    // Who comes late, to any server, is told the end.
    assert_eq!(events(&house, &format!("{path}/events")).await, std::slice::from_ref(last));

    let failed = call(&house, Method::GET, &format!("{path}?state=failed"), json!(null)).await.body;
    assert_eq!(failed["items"].as_array().unwrap().len(), 1);
    assert_eq!(failed["items"][0]["tenant"], "choir");
    assert!(failed["items"][0]["error"].as_str().unwrap().contains("TABEL"), "{failed}");
    let page = call(&house, Method::GET, &format!("{path}?limit=2"), json!(null)).await.body;
    let rest = format!("{path}?limit=2&cursor={}", page["next"].as_str().unwrap());
    let rest = call(&house, Method::GET, &rest, json!(null)).await.body;
    let (page, rest) = (page["items"].as_array().unwrap(), rest["items"].as_array().unwrap());
    assert_eq!((page.len(), rest.len()), (2, 1));
    for (method, path, status) in [
        (Method::GET, format!("{path}?state=odd"), 422),
        (Method::GET, "/runs/nothing/events".into(), 404),
        (Method::POST, "/runs/nothing/resume".into(), 404),
        (Method::POST, "/runs".into(), 422),
    ] {
        let answer = call(&house, method.clone(), &path, json!({})).await;
        assert_eq!(
            (answer.status.as_u16(), answer.kind.as_str()),
            (status, "application/problem+json"),
            "{path}"
        );
    }

    house.rooms.mend();
    let again = call(&house, Method::POST, &format!("{path}/resume"), json!(null)).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    assert_eq!(house.run_ended(begun.body["id"].as_str().unwrap()).await.state, "finished");
    let twice = call(&house, Method::POST, &format!("{path}/resume"), json!(null)).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let list = call(&house, Method::GET, "/runs?limit=1", json!(null)).await.body;
    assert_eq!((&list["items"][0]["turns"], &list["next"]), (&json!(2), &Value::Null));
}

#[tokio::test]
async fn so_many_may_watch_and_no_more() {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    let run = house.activate("site@1.0.0").await;
    let all = u32::try_from(house.control.watchers.available_permits()).unwrap();
    let others = house.control.watchers.try_acquire_many(all).unwrap();
    let path = format!("/runs/{}/events", run.id);
    let ask = request(&Method::GET, &path, Some(house.token.reveal()), &json!(null));
    let refused = router(Arc::clone(&house.control)).oneshot(ask).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], RETRY, "it says when to ask again");
    drop(others);
    assert_eq!(events(&house, &path).await.len(), 1);
}

on_each_engine!(
    a_change_says_who_has_it,
    a_run_is_started_followed_and_resumed,
    every_route_asks_for_a_credential,
    a_session_needs_proof_of_its_origin,
    from_a_release_to_a_receipt,
    wrong_requests_are_told_what_is_wrong,
);

#[tokio::test]
async fn pages_are_made_anew_and_wrong_wishes_are_told() {
    let house = House::new().await;
    house.create("club").await.unwrap();
    let path = "/tenants/club/cache/flush";
    for (wish, field) in [
        (json!({"tag": "a b"}), "tag"),
        (json!({"url": "news"}), "url"),
        (json!({"tag": "a", "url": "/"}), "url"),
    ] {
        let answer = call(&house, Method::POST, path, wish).await;
        assert_eq!((answer.status.as_u16(), answer.kind.as_str()), (422, "application/problem+json"));
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    for (wish, flushed) in
        [(json!({}), "everything"), (json!({"tag": "menu"}), "tag"), (json!({"url": "/news"}), "url")]
    {
        let answer = call(&house, Method::POST, path, wish).await;
        assert_eq!((answer.status.as_u16(), &answer.body["flushed"]), (200, &json!(flushed)));
    }
    let trail = call(&house, Method::GET, "/audit?tenant=club", json!(null)).await.body;
    assert_eq!(trail["items"][0]["action"], "cache.flush");
    let numbers = crate::ports::CacheNumbers { hits: 2, bytes: 9, ..Default::default() };
    house.rooms.cached.lock().insert(house.served("club").unwrap().id, numbers);
    let one = call(&house, Method::GET, "/tenants/club/cache", json!(null)).await.body;
    assert_eq!((&one["tenant"], &one["hits"], &one["bytes"]), (&json!("club"), &json!(2), &json!(9)));
    let all = call(&house, Method::GET, "/cache", json!(null)).await.body;
    assert_eq!((&all["totals"]["bytes"], &all["items"][0]), (&json!(9), &one));
}

/// Sends an archive.
async fn bring(house: &House, method: Method, path: &str, archive: Vec<u8>) -> Answered {
    let mut request = request(&method, path, Some(house.token.reveal()), &json!(null));
    *request.body_mut() = Body::from(archive);
    send(house, request).await
}

#[tokio::test]
async fn an_archive_goes_out_and_comes_in() {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    let made = call(&house, Method::POST, "/tenants", json!({"name": "club", "release": "site@1.0.0"})).await;
    assert_eq!((made.status, &made.body["data_server"]), (StatusCode::CREATED, &json!("local")));
    house.rooms.write(&house.served("club").unwrap(), &["one", "two"]);
    let ask = request(&Method::GET, "/tenants/club/archive", Some(house.token.reveal()), &json!(null));
    let response = router(Arc::clone(&house.control)).oneshot(ask).await.unwrap();
    let field = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!((response.status(), field("content-type").as_str()), (StatusCode::OK, "application/zstd"));
    let named = field("content-disposition");
    assert!(named.starts_with("attachment; filename=\"club-2") && named.ends_with("Z.tar.zst\""), "{named}");
    let archive = to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec();

    let path = "/tenants/import?name=copy&data_server=other&resume=true";
    let copy = bring(&house, Method::POST, path, archive.clone()).await;
    assert_eq!((copy.status, &copy.body["state"]), (StatusCode::CREATED, &json!("active")));
    assert_eq!(house.rooms.read(&house.served("copy").unwrap()).0, ["one", "two"]);
    for (method, path, body, status) in [
        (Method::POST, "/tenants/import?name=copy", archive.clone(), 409),
        (Method::POST, "/tenants/import?name=other&data_server=mars", archive.clone(), 422),
        (Method::POST, "/tenants/import?name=other", archive[1..].to_vec(), 422),
        (Method::POST, "/tenants/import?name=other", vec![b' '; (64 << 10) + 1], 413),
        (Method::PUT, "/tenants/nobody/archive", archive.clone(), 404),
        (Method::PUT, "/tenants/club/archive", archive.clone(), 409),
    ] {
        let answer = bring(&house, method.clone(), path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.body);
        assert_eq!(answer.kind, "application/problem+json");
    }
    call(&house, Method::POST, "/tenants/club/suspend", json!(null)).await;
    house.rooms.write(&house.served("club").unwrap(), &["three"]);
    let restored = bring(&house, Method::PUT, "/tenants/club/archive", archive).await;
    assert_eq!(restored.status, StatusCode::OK, "{}", restored.body);
    assert_eq!(house.rooms.read(&house.served("club").unwrap()).0, ["one", "two"]);
}

#[tokio::test]
async fn an_archive_that_breaks_off_is_noticed() {
    let house = House::new().await;
    house.create("club").await.unwrap();
    house.rooms.fail(crate::stub::Fault::Export);
    // Nothing was sent yet, so the error is the answer.
    let refused = call(&house, Method::GET, "/tenants/club/archive", json!(null)).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(refused.body["detail"].as_str().unwrap().contains("export is broken"), "{}", refused.body);
    // A part was sent: the body ends with an error.
    let long = "x".repeat(200 << 10);
    house.rooms.write(&house.served("club").unwrap(), &[&long]);
    let ask = request(&Method::GET, "/tenants/club/archive", Some(house.token.reveal()), &json!(null));
    let response = router(Arc::clone(&house.control)).oneshot(ask).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await;
    // Who is fast enough to see the error before the part is sent gets it as the answer.
    assert!(body.is_err() || status == StatusCode::INTERNAL_SERVER_ERROR, "{status}");
    house.rooms.mend();
    // Whoever hangs up ends the export, and the tenant is free again.
    let ask = request(&Method::GET, "/tenants/club/archive", Some(house.token.reveal()), &json!(null));
    drop(router(Arc::clone(&house.control)).oneshot(ask).await.unwrap());
    while house.control.export(&house.operator, "club").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whole_tenants_are_cloned_moved_and_reset() {
    let house = House::new().await;
    house.create("club").await.unwrap();
    house.rooms.write(&house.served("club").unwrap(), &["one"]);
    let twin = call(&house, Method::POST, "/tenants/club/clone", json!({"name": "twin"})).await;
    assert_eq!((twin.status, &twin.body["state"]), (StatusCode::CREATED, &json!("suspended")));
    let moved = call(&house, Method::POST, "/tenants/club/move", json!({"data_server": "other"})).await;
    assert_eq!((moved.status, &moved.body["data_server"]), (StatusCode::OK, &json!("other")));
    let unsure = call(&house, Method::POST, "/tenants/twin/reset", json!(null)).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    let empty = call(&house, Method::POST, "/tenants/twin/reset?confirm=twin", json!(null)).await;
    assert_eq!(empty.status, StatusCode::OK, "{}", empty.body);
    let usage = call(&house, Method::GET, "/tenants/club/usage?tables=true", json!(null)).await;
    assert_eq!(usage.body["tables"], json!([{"name": "notes", "rows": 1}]));
    assert_eq!(usage.body["data_server"], "other");
    let servers = call(&house, Method::GET, "/data-servers", json!(null)).await;
    assert_eq!(servers.body["items"][1]["name"], "other");
    assert_eq!(servers.body["items"][1]["reachable"], false);
}
