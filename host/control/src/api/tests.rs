//! Every route of the OpenAPI document without a credential, with a bad one and with too little of one; and
//! the main ways through.

use super::*;
use crate::stub::House;
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

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
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
    let done = call(&house, Method::POST, "/activations", json!({"release": "site@1.0.0"})).await;
    assert_eq!((done.status, &done.body["state"]), (StatusCode::CREATED, &json!("done")));
    assert_eq!(call(&house, Method::GET, "/tenants/club/usage", json!(null)).await.body["files"], 2);
    let gone = call(&house, Method::DELETE, "/tenants/club?confirm=club&now=true", json!(null)).await;
    assert_eq!((gone.status, &gone.body["found_after"]["files"]), (StatusCode::OK, &json!(0)));
    let trail = call(&house, Method::GET, "/audit?tenant=club", json!(null)).await;
    assert_eq!(trail.body["items"][0]["action"], "tenant.delete");
    assert_eq!(trail.body["items"][0]["actor"], "token operator");
}

#[tokio::test]
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
