//! Archives out of the stub and into it, and what is done with whole sites.

use super::stub::{self, Given, Stub};
use super::{problem, run, run_typing, tenant};
use serde_json::{Value, json};
use std::fs;

const BYTES: &str = "not really zstd";

/// An archive as the server sends it.
fn archive(name: &str) -> Given {
    let field = match name {
        "rowing" => "Content-Disposition: attachment; filename=\"rowing-20260301T093000Z.tar.zst\"\r\n",
        "chess" => "Content-Disposition: attachment; filename=\"chess-20260301T093001Z.tar.zst\"\r\n",
        _ => "Content-Disposition: attachment; filename=\"../../evil-20260301T093001Z.tar.zst\"\r\n",
    };
    Given(200, "application/zstd", BYTES.into(), field)
}

#[test]
fn an_archive_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rowing.tar.zst");
    let server = Stub::start(|_| archive("rowing"));
    let ran = run(&server.url, &format!("tenant export rowing --to {}", file.display()));
    let said = format!("{} has the archive of rowing (15 B)\n", file.display());
    assert_eq!((ran.code, ran.out), (0, said), "{}", ran.notes);
    assert_eq!(fs::read_to_string(&file).unwrap(), BYTES);
    assert_eq!(server.lines(), ["GET /-/api/v1/tenants/rowing/archive"]);
    assert_eq!(run(&server.url, "tenant export rowing --to -").out, BYTES);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    // Fewer bytes than were announced: the connection broke.
    let broken = Stub::start(|_| Given(200, "application/zstd", BYTES.into(), "Content-Length: 999\r\n"));
    fs::remove_file(&file).unwrap();
    let ran = run(&broken.url, &format!("tenant export rowing --to {}", file.display()));
    assert_ne!(ran.code, 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing half written stays");
    let busy = Stub::start(|_| stub::json(409, &problem(409, "tenant `rowing` is busy")));
    assert_eq!(run(&busy.url, &format!("tenant export rowing --to {}", file.display())).code, 5);
    let page = Stub::start(|_| Given(200, "text/html", "hello".into(), ""));
    assert_eq!(run(&page.url, &format!("tenant export rowing --to {}", file.display())).code, 3);
    let sly = Stub::start(|_| archive("evil"));
    let ran = run(&sly.url, &format!("tenant backup evil --to {}", folder.path().display()));
    assert_eq!(ran.code, 3, "a server can't choose where its file goes");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn all_sites_are_backed_up_and_those_that_fail_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("new");
    let server = Stub::start(|line| {
        let mut trashed = tenant("old");
        trashed["state"] = json!("trashed");
        match line {
            _ if line.contains("/rowing/archive") => archive("rowing"),
            _ if line.contains("/chess/archive") => archive("chess"),
            _ if line.contains("/moving/archive") => {
                stub::json(409, &problem(409, "tenant `moving` is moving"))
            }
            _ => {
                let mut moving = tenant("moving");
                moving["state"] = json!("moving");
                let items = [tenant("rowing"), moving, trashed, tenant("chess")];
                stub::json(200, &json!({"items": items, "next": null}))
            }
        }
    });
    let ran = run(&server.url, &format!("tenant backup --all --to {}", to.display()));
    let at = to.display();
    let expected = format!(
        "NAME    SIZE  FILE\nchess   15 B  {at}/chess-20260301T093001Z.tar.zst\n\
         rowing  15 B  {at}/rowing-20260301T093000Z.tar.zst\n"
    );
    assert_eq!((ran.code, ran.out), (6, expected), "{}", ran.notes);
    assert!(ran.notes.contains("moving:\nerror: tenant `moving` is moving"), "{}", ran.notes);
    assert_eq!(fs::read_dir(&to).unwrap().count(), 2);
    let one = run(&server.url, &format!("tenant backup chess --to {at} --json"));
    let said: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!((&said["items"][0]["name"], &said["items"][0]["bytes"]), (&json!("chess"), &json!(15)));
}

#[test]
fn what_is_missing_is_made_from_its_newest_archive() {
    let folder = tempfile::tempdir().unwrap();
    for (file, bytes) in [
        ("chess-20260301T093001Z.tar.zst", "old"),
        ("chess-20260401T093001Z.tar.zst", "new"),
        ("rowing-20260301T093000Z.tar.zst", "there"),
        ("notes.txt", "no archive"),
    ] {
        fs::write(folder.path().join(file), bytes).unwrap();
    }
    let server = Stub::start(|line| match line.starts_with("GET") {
        true => stub::json(200, &json!({"items": [tenant("rowing")], "next": null})),
        false => stub::json(201, &tenant("chess")),
    });
    let ran = run(&server.url, &format!("tenant restore --all --from {} --resume", folder.path().display()));
    assert_eq!(ran.code, 0, "{}", ran.notes);
    assert!(ran.out.contains("chess  active  local") && !ran.out.contains("rowing"), "{}", ran.out);
    assert!(ran.notes.contains("1 of the archived sites were there already"), "{}", ran.notes);
    let asked = server.asked();
    assert_eq!(asked[1].line, "POST /-/api/v1/tenants/import?name=chess&resume=true");
    assert_eq!(asked[1].body, b"new");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(run(&server.url, &format!("tenant restore --all --from {}", empty.path().display())).code, 2);
}

#[test]
fn content_is_replaced_once_the_name_was_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.tar.zst");
    fs::write(&file, BYTES).unwrap();
    let server = Stub::start(|_| stub::json(200, &tenant("rowing")));
    let line = format!("tenant restore rowing --from {}", file.display());
    assert_eq!(run(&server.url, &line).code, 2, "nobody can be asked");
    assert_eq!(run_typing(&server.url, &line, Some("chess\n")).code, 2);
    assert_eq!(run(&server.url, "tenant reset rowing").code, 2);
    assert_eq!(server.lines(), [""; 0]);
    assert_eq!(run_typing(&server.url, &line, Some("rowing\n")).code, 0);
    let reset = run(&server.url, "tenant reset rowing --yes");
    assert_eq!(reset.out, "rowing is empty, and suspended until it is resumed\n");
    let lines =
        ["PUT /-/api/v1/tenants/rowing/archive", "POST /-/api/v1/tenants/rowing/reset?confirm=rowing"];
    assert_eq!(server.lines(), lines);
    assert_eq!(server.asked()[0].body, BYTES.as_bytes());
}

#[test]
fn sites_are_made_from_archives_cloned_and_moved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.tar.zst");
    fs::write(&file, BYTES).unwrap();
    let server = Stub::start(|_| stub::json(201, &tenant("trial")));
    let line = format!("tenant import {} --name trial --server pg --no-addresses --resume", file.display());
    let ran = run(&server.url, &line);
    assert_eq!(ran.code, 0, "{}", ran.notes);
    assert!(ran.out.contains("data server  local\n"), "{}", ran.out);
    assert!(ran.notes.starts_with(&format!("sending {} (15 B) …\n", file.display())), "{}", ran.notes);
    assert_eq!(run(&server.url, "tenant clone rowing twin --server pg").code, 0);
    assert_eq!(run(&server.url, "tenant move rowing --server pg").out, "rowing is on pg\n");
    let asked = server.asked();
    let query = "?name=trial&data_server=pg&addresses=false&resume=true";
    assert_eq!(asked[0].line, format!("POST /-/api/v1/tenants/import{query}"));
    let bodies: Vec<Value> =
        asked[1..].iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect();
    assert_eq!(bodies, [json!({"name": "twin", "data_server": "pg"}), json!({"data_server": "pg"})]);
    assert_eq!(run(&server.url, "tenant import /nowhere.tar.zst").code, 2);
}

#[test]
fn usage_and_data_servers_are_tables() {
    let server = Stub::start(|line| match line.contains("data-servers") {
        true => {
            let pg = json!({"name": "pg", "engine": "postgresql", "isolation": "database", "reachable": false,
                "tenants": 12, "connections": 3, "connection_limit": 20, "default": true});
            let local = json!({"name": "local", "engine": "sqlite", "isolation": "prefix", "reachable": true,
                "tenants": 1, "connections": 0, "connection_limit": null, "default": false});
            stub::json(200, &json!({"items": [pg, local]}))
        }
        false => stub::json(
            200,
            &json!({"data_server": "pg", "database_bytes": 2048, "file_bytes": 0, "files": 0,
            "database_limit": 4096, "file_bytes_limit": 1024, "files_limit": 10,
            "tables": [{"name": "news", "rows": 7}]}),
        ),
    });
    let expected = "\
NAME   ENGINE      ISOLATION  STATE          TENANTS  CONNECTIONS  LIMIT
pg     postgresql  database   away, default       12            3     20
local  sqlite      prefix     there                1            0      -
";
    assert_eq!(run(&server.url, "data-server list").out, expected);
    let expected = "\
data server  pg
database     2.0 KiB of 4.0 KiB
files        0 B of 1.0 KiB
number       0 of 10

TABLE  ROWS
news      7
";
    assert_eq!(run(&server.url, "tenant usage rowing --tables").out, expected);
    assert_eq!(server.lines()[1], "GET /-/api/v1/tenants/rowing/usage?tables=true");
}
