//! Whole commands against a stub of the server: what they ask, print, and end with.

mod archives;
mod cache;
mod runs;
mod servers;
mod stub;

use crate::screen::Screen;
use crate::{ClientCommand, ConnectionArgs, run_on};
use clap::{CommandFactory as _, Parser};
use rowhouse_base::Digest;
use serde_json::{Value, json};
use stub::{Given, Stub};

const TOKEN: &str = "rh_a-secret-that-is-never-shown";

#[derive(Parser)]
#[command(name = "rowhouse")]
struct Root {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: ClientCommand,
}

/// What a command printed and ended with.
struct Ran {
    code: u8,
    out: String,
    notes: String,
}

/// Runs a command line as a script would, or with a person who types `typed`.
fn run_typing(url: &str, line: &str, typed: Option<&str>) -> Ran {
    let mut words = vec!["rowhouse", "--url", url];
    if !line.contains("--data") {
        words.extend(["--token", TOKEN]);
    }
    words.extend(line.split(' '));
    let root = Root::try_parse_from(words).unwrap();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut input = typed.unwrap_or_default().as_bytes();
    let mut screen = Screen {
        out: &mut out,
        notes: &mut notes,
        input: &mut input,
        can_ask: typed.is_some(),
        can_animate: false,
        width: None,
        json: root.connection.json,
    };
    let code = run_on(root.command, &root.connection, Root::command(), &mut screen).unwrap();
    let (out, notes) = (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap());
    if !line.starts_with("token create") {
        assert!(!out.contains("rh_") && !notes.contains("rh_"), "a token was printed: {out}{notes}");
    }
    Ran { code, out, notes }
}

fn run(url: &str, line: &str) -> Ran {
    run_typing(url, line, None)
}

fn tenant(name: &str) -> Value {
    json!({
        "id": "0197a2c4-6f1e-7a53-9d2b-0c8f4b1e7a10", "name": name, "title": "Rowing Club", "state": "active",
        "addresses": ["rowing.example"], "url_prefix": true, "urls": [format!("http://{name}.localhost:8080/")],
        "locale": "en-GB", "time_zone": "Europe/London", "settings": {"tagline": "On the river"},
        "release": {"name": "site@1.0.0", "digest": "ab".repeat(32)}, "previous_release": null,
        "schema_version": 3, "revision": 7, "created_at": "2026-03-01T09:30:00Z", "trash_until": null,
        "data_server": "local", "operation": null, "unheard_of": true
    })
}

fn problem(status: u16, detail: &str) -> Value {
    json!({"type": "about:blank", "title": "x", "status": status, "detail": detail, "instance": "req-1"})
}

#[test]
fn a_list_is_a_table_for_people_and_the_document_for_programs() {
    let page = |line: &str| match line.contains("cursor=") {
        false => stub::json(200, &json!({"items": [tenant("rowing")], "next": "c1"})),
        true => stub::json(200, &json!({"items": [tenant("chess")], "next": null})),
    };
    let server = Stub::start(page);
    let people = run(&server.url, "tenant list --search ro&w");
    let expected = "\
NAME    TITLE        STATE   RELEASE     SERVER  ADDRESS
rowing  Rowing Club  active  site@1.0.0  local   http://rowing.localhost:8080/
chess   Rowing Club  active  site@1.0.0  local   http://chess.localhost:8080/
";
    assert_eq!((people.code, people.out.as_str()), (0, expected));
    assert_eq!(server.lines()[1], "GET /-/api/v1/tenants?search=ro%26w&limit=200&cursor=c1");
    assert_eq!(server.asked()[0].authorization.as_deref(), Some(format!("Bearer {TOKEN}").as_str()));

    let programs: Value = serde_json::from_str(&run(&server.url, "tenant list --json").out).unwrap();
    assert_eq!(programs["items"][1], tenant("chess"));
    assert_eq!(programs["next"], Value::Null);
}

#[test]
fn a_limit_ends_the_paging() {
    let server = Stub::start(|_| stub::json(200, &json!({"items": [tenant("rowing")], "next": "c1"})));
    assert_eq!(run(&server.url, "tenant list --limit 1").code, 0);
    assert_eq!(server.lines(), ["GET /-/api/v1/tenants?limit=1"]);
}

#[test]
fn a_cursor_that_stands_still_ends_the_paging() {
    let server = Stub::start(|_| stub::json(200, &json!({"items": [tenant("rowing")], "next": "c1"})));
    assert_eq!(run(&server.url, "tenant list").code, 0);
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn nobody_there() {
    // Bound and dropped: the port is free again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = run(&format!("http://127.0.0.1:{port}"), "status");
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert!(ran.notes.contains("start one with `rowhouse serve`"), "{}", ran.notes);
}

#[test]
fn another_kind_of_server() {
    for (status, fields) in [(200, ""), (404, ""), (301, "Location: https://elsewhere.example/\r\n")] {
        let server = Stub::start(move |_| Given(status, "text/html", "<h1>Hello</h1>".into(), fields));
        let ran = run(&server.url, "status");
        assert_eq!(ran.code, 3, "{status}: {}", ran.notes);
        assert!(ran.notes.contains("not as a Rowhouse server"), "{}", ran.notes);
        assert_eq!(server.lines().len(), 1, "no redirect is followed");
    }
}

#[test]
fn each_refusal_has_its_code_and_hint() {
    for (status, code, said) in [
        (401, 1, "from --token or ROWHOUSE_TOKEN is unknown"),
        (403, 1, "lacks the scope"),
        (404, 4, "`rowhouse tenant list`"),
        (409, 5, "present state"),
        (422, 1, "error: it is so"),
        (500, 1, "request id: req-1"),
    ] {
        let server = Stub::start(move |_| stub::json(status, &problem(status, "it is so")));
        let ran = run(&server.url, "tenant show rowing");
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{status}: {}", ran.notes);
        assert!(ran.notes.contains("error: it is so") && ran.notes.contains(said), "{status}: {}", ran.notes);
        let with_json = run(&server.url, "tenant show rowing --json");
        assert_eq!(serde_json::from_str::<Value>(&with_json.notes).unwrap(), problem(status, "it is so"));
    }
}

#[test]
fn every_field_error_is_shown() {
    let server = Stub::start(|_| {
        let mut document = problem(422, "two fields are wrong");
        document["errors"] =
            json!([{"field": "name", "detail": "is taken"}, {"field": "locale", "detail": "is none"}]);
        stub::json(422, &document)
    });
    let ran = run(&server.url, "tenant create rowing --locale xx");
    assert!(ran.notes.contains("  name: is taken\n  locale: is none\n"), "{}", ran.notes);
}

#[test]
fn a_busy_server_says_when_to_come_back() {
    let server = Stub::start(|_| Given(503, "text/plain", "busy".into(), "Retry-After: 7\r\n"));
    let ran = run(&server.url, "status");
    assert_eq!(ran.code, 1);
    assert!(ran.notes.contains("try again in 7 s"), "{}", ran.notes);
}

#[test]
fn the_token_of_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let server = Stub::start(|_| stub::json(401, &problem(401, "no")));
    let line = format!("status --data {path}");
    let without = run(&server.url, &line);
    assert!(without.notes.contains("no token was sent") && without.notes.contains(path), "{}", without.notes);

    std::fs::write(folder.path().join("operator.token"), "rh_from_the_file\n").unwrap();
    let with = run(&server.url, &line);
    assert!(with.notes.contains(&format!("the token from {path}")), "{}", with.notes);
    let sent: Vec<_> = server.asked().into_iter().map(|asked| asked.authorization).collect();
    assert_eq!(sent, [None, Some("Bearer rh_from_the_file".to_owned())]);
}

#[test]
fn deleting_wants_the_name() {
    let server =
        Stub::start(|_| stub::json(202, &json!({"state": "trashed", "trash_until": "2026-03-08T09:30:00Z"})));
    let script = run(&server.url, "tenant delete rowing");
    assert_eq!(script.code, 2);
    assert!(script.notes.contains("add --confirm rowing"), "{}", script.notes);
    assert_eq!(run(&server.url, "tenant delete rowing --confirm chess").code, 2);
    assert_eq!(run_typing(&server.url, "tenant delete rowing", Some("rowin\n")).code, 2);
    assert_eq!(run_typing(&server.url, "tenant delete rowing", Some("")).code, 2);
    assert_eq!(server.lines(), [""; 0], "nothing was asked of the server");

    let typed = run_typing(&server.url, "tenant delete rowing", Some("rowing\n"));
    assert_eq!((typed.code, typed.out.as_str()), (0, "rowing is in the trash until 2026-03-08 09:30:00Z\n"));
    assert_eq!(run(&server.url, "tenant delete rowing --confirm rowing --now").code, 0);
    let lines = [
        "DELETE /-/api/v1/tenants/rowing?confirm=rowing",
        "DELETE /-/api/v1/tenants/rowing?confirm=rowing&now=true",
    ];
    assert_eq!(server.lines(), lines);
}

#[test]
fn the_receipt_of_a_deletion_is_shown() {
    let server = Stub::start(|_| {
        let removed = json!({"database_bytes": 2048, "files": 3});
        let after = json!({"database_bytes": 0, "files": 0});
        stub::json(
            200,
            &json!({"tenant": "id", "name": "rowing", "removed": removed, "found_after": after, "at": "x"}),
        )
    });
    let ran = run(&server.url, "tenant delete rowing --now --confirm rowing");
    assert_eq!(ran.out, "rowing is gone\nremoved: database 2.0 KiB, files 3\nfound afterwards: nothing\n");
}

#[test]
fn some_of_several_may_fail() {
    let server = Stub::start(|line| match line.contains("chess") {
        true => stub::json(409, &problem(409, "it is suspended already")),
        false => stub::json(200, &tenant("rowing")),
    });
    let ran = run(&server.url, "tenant suspend rowing chess rowing");
    assert_eq!((ran.code, ran.out.as_str()), (6, "rowing is suspended\nrowing is suspended\n"));
    assert!(ran.notes.contains("chess:\nerror: it is suspended already"), "{}", ran.notes);
    assert!(ran.notes.contains("error: 1 of 3 failed"), "{}", ran.notes);
    assert_eq!(run(&server.url, "tenant suspend chess").code, 5);
}

#[test]
fn outbound_hosts_are_sent_as_a_whole_list() {
    for (given, sent) in
        [("api.example,*.example.org:8443", json!(["api.example", "*.example.org:8443"])), ("", json!([]))]
    {
        let server = Stub::start(|_| stub::json(200, &tenant("rowing")));
        let ran = run(&server.url, &format!("tenant set rowing --outbound={given}"));
        assert_eq!(ran.code, 0, "{}", ran.notes);
        let body: Value = serde_json::from_slice(&server.asked()[0].body).unwrap();
        assert_eq!(body, json!({ "outbound": sent }));
    }
}

#[test]
fn setting_sends_only_what_was_named() {
    let server = Stub::start(|_| stub::json(200, &tenant("rowing")));
    let ran = run(&server.url, "tenant set rowing tagline=a=b empty= --unset motto --url-prefix off");
    assert_eq!(ran.code, 0, "{}", ran.notes);
    let body: Value = serde_json::from_slice(&server.asked()[0].body).unwrap();
    assert_eq!(
        body,
        json!({"settings": {"tagline": "a=b", "empty": "", "motto": null}, "url_prefix": false})
    );
    assert_eq!(run(&server.url, "tenant set rowing").code, 2);
    assert!(ran.out.contains("release      site@1.0.0 (abababababab)\n"), "{}", ran.out);
}

#[test]
fn addresses_are_kept_when_one_is_added() {
    let server = Stub::start(|_| stub::json(200, &tenant("rowing")));
    assert_eq!(run(&server.url, "domain add rowing WWW.Rowing.Example rowing.example").code, 0);
    let body: Value = serde_json::from_slice(&server.asked()[1].body).unwrap();
    assert_eq!(body, json!({"addresses": ["rowing.example", "www.rowing.example"]}));
    let missing = run(&server.url, "domain remove rowing other.example");
    assert_eq!(missing.code, 2);
    assert!(Root::try_parse_from(["rowhouse", "domain", "add", "rowing", "a b"]).is_err());
}

#[test]
fn a_component_is_pushed_and_its_digest_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.wasm");
    std::fs::write(&file, b"\0asm\x0d\0\x01\0rest").unwrap();
    let line = format!("module push {} --name site --version 2.0.0", file.display());
    let digest = Digest::of(b"\0asm\x0d\0\x01\0rest").to_string();
    let release = json!({"name": "site@2.0.0", "digest": digest, "size": 12, "lane": "fast"});
    let server = Stub::start(move |_| stub::json(201, &release));
    let ran = run(&server.url, &line);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    assert!(ran.notes.starts_with("pushing site@2.0.0 (12 B) …\n"), "{}", ran.notes);
    assert!(ran.out.contains("lane          fast\n"), "{}", ran.out);
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /-/api/v1/releases?name=site&version=2.0.0");
    assert_eq!(asked.body, b"\0asm\x0d\0\x01\0rest");

    let other = Stub::start(|_| stub::json(201, &json!({"name": "site@2.0.0", "digest": "00"})));
    assert_eq!(run(&other.url, &line).code, 3);
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let core = run(&server.url, &line);
    assert_eq!(core.code, 2);
    assert!(core.notes.contains("core module") && core.notes.contains("wasm32-wasip2"), "{}", core.notes);
    assert_eq!(run(&server.url, "module push /nowhere/x.wasm --name site --version 1").code, 2);
}

#[test]
fn new_secrets_are_shown_once_and_alone_if_wished() {
    let server = Stub::start(|line| match line.contains("/users") {
        true => stub::json(201, &json!({"user": {"name": "ada"}, "one_time_password": "aaaaa-bbbbb"})),
        false => stub::json(201, &json!({"token": "rh_new", "id": "t1", "name": "ci", "scopes": ["read"]})),
    });
    assert_eq!(run(&server.url, "token create ci --scope read --quiet").out, "rh_new\n");
    assert_eq!(run(&server.url, "user create ada").out, "ada can sign in\none-time password: aaaaa-bbbbb\n");
    let typed = run_typing(&server.url, "user create ada --password-stdin", Some("long enough\n"));
    assert_eq!(typed.code, 0);
    let body: Value = serde_json::from_slice(&server.asked()[2].body).unwrap();
    assert_eq!(body, json!({"name": "ada", "super_user": false, "password": "long enough"}));
}

#[test]
fn names_can_not_leave_their_segment() {
    let server = Stub::start(|_| stub::json(404, &problem(404, "no")));
    assert_eq!(run(&server.url, "tenant show ../users?x=1#").code, 4);
    assert_eq!(server.lines(), ["GET /-/api/v1/tenants/..%2Fusers%3Fx%3D1%23"]);
}

#[test]
fn completions_and_pages_need_no_server() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run("http://127.0.0.1:1", &format!("completions {shell}"));
        assert!(ran.code == 0 && ran.out.contains("rollback"), "{shell}");
    }
    let pages = folder.path().join("man");
    assert_eq!(run("http://127.0.0.1:1", &format!("man {}", pages.display())).code, 0);
    let page = std::fs::read_to_string(pages.join("rowhouse.1")).unwrap();
    assert!(page.contains("ROWHOUSE_TOKEN") && !page.contains(TOKEN), "{page}");
    assert!(pages.join("rowhouse-tenant-create.1").exists());
    Root::command().debug_assert();
}

#[test]
fn only_addresses_of_servers_are_accepted() {
    for url in ["localhost:8080", "ftp://a", "http://", "http://user:secret@host", "http://host/?a=b", ""] {
        let error = url.parse::<crate::ServerUrl>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let remote: crate::ServerUrl = "http://sites.example/".parse().unwrap();
    assert!(remote.is_exposed() && remote.as_str() == "http://sites.example");
    for local in ["http://localhost:1", "http://club.localhost", "http://127.0.0.1:8080", "http://[::1]:8080"]
    {
        assert!(local.parse::<crate::ServerUrl>().unwrap().is_loopback(), "{local}");
    }
}
