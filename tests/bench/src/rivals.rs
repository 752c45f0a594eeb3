//! Starting the rivals.

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::places::{Places, free_port, write};
use crate::server::Server;

/// Where an nginx has its page from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// A file with these bytes.
    File(&'a str),
    /// Its cache, filled from the server on this port. `Cache-Status` says `hit`.
    Cache(u16),
}

/// A native server: `hello`, `rusqlite` or `sqlx`.
pub(crate) fn native(places: &Places, kind: &str) -> Result<Server> {
    native_with(places, kind, &[])
}

/// A native server that has its pages from this Redis. `Cache-Status` says `hit`.
pub(crate) fn native_on_redis(places: &Places, url: &str) -> Result<Server> {
    native_with(places, "redis", &[url])
}

/// A native server that runs the statement of the guest `calls`: on SQLite, or in the empty database at this URL.
pub(crate) fn native_calls(places: &Places, engine: &str, url: Option<&str>) -> Result<Server> {
    native_with(places, &format!("calls-{engine}"), url.as_slice())
}

fn native_with(places: &Places, kind: &str, more: &[&str]) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(places.rival());
    command.args([kind, &port.to_string()]).arg(places.fresh(&format!("rival-{kind}"))?).args(more);
    Server::start_until(&mut command, port, "ready")
}

/// `wasmtime serve` with a guest: as it comes, or with an instance kept for many requests.
pub(crate) fn wasmtime(places: &Places, guest: &str, reuse: Option<u32>) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(&places.wasmtime);
    // A guest of Rust's standard library imports wasi:cli.
    command.args(["serve", "-Scli", "--addr", &format!("127.0.0.1:{port}")]);
    if let Some(count) = reuse {
        command.args(["--max-instance-reuse-count", &count.to_string()]);
    }
    command.arg(places.guest(guest)).stderr(Stdio::null());
    Server::start(&mut command, port)
}

/// nginx with one page.
///
/// Over HTTP/2 a server of its own: before 1.25.1 nginx speaks either protocol on a port without TLS, not both.
pub(crate) fn nginx(places: &Places, source: Source<'_>, http2: bool) -> Result<Server> {
    let port = free_port()?;
    let kind = match source {
        Source::File(_) => "file",
        Source::Cache(_) => "cache",
    };
    let folder = places.fresh(&format!("nginx-{kind}-{}", if http2 { "h2" } else { "h1" }))?;
    let at = folder.display();
    let (keeps, answers) = match source {
        Source::File(page) => {
            write(&folder, "index.html", page)?;
            (String::new(), format!("root {at};"))
        }
        Source::Cache(origin) => (
            format!("proxy_cache_path {at}/cache levels=1:2 keys_zone=pages:10m use_temp_path=off;"),
            format!(
                "location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache pages; proxy_cache_valid 200 1d; \
                 add_header cache-status \"nginx; $upstream_cache_status\"; }}"
            ),
        ),
    };
    let protocol = if http2 { " http2" } else { "" };
    // Started by root, its workers would be someone who may not read the folder; else the line is ignored.
    let configuration = format!(
        "user root;\ndaemon off;\nworker_processes auto;\npid {at}/pid;\nerror_log {at}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  keepalive_requests 100000000;\n  types {{ text/html html; }}\n\
         \x20 client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n  fastcgi_temp_path {at}/fastcgi;\n\
         \x20 uwsgi_temp_path {at}/uwsgi;\n  scgi_temp_path {at}/scgi;\n  {keeps}\n\
         \x20 server {{ listen 127.0.0.1:{port}{protocol}; {answers} }}\n}}\n"
    );
    let file = write(&folder, "nginx.conf", &configuration)?;
    let mut command = Command::new(&places.nginx);
    // Where it logs before it has read its configuration.
    command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(file).arg("-p").arg(&folder);
    Server::start(&mut command, port)
}

/// Varnish in front of the server on this port, for both protocols. `Cache-Status` says `hit`.
pub(crate) fn varnish(places: &Places, origin: u16) -> Result<Server> {
    let port = free_port()?;
    let folder = places.fresh("varnish")?;
    let configuration = format!(
        "vcl 4.1;\n\
         backend origin {{ .host = \"127.0.0.1\"; .port = \"{origin}\"; }}\n\
         sub vcl_backend_response {{ set beresp.ttl = 1d; }}\n\
         sub vcl_deliver {{\n  if (obj.hits > 0) {{ set resp.http.cache-status = \"varnish; hit\"; }}\n\
         \x20 else {{ set resp.http.cache-status = \"varnish; fwd=miss\"; }}\n}}\n"
    );
    let file = write(&folder, "default.vcl", &configuration)?;
    let log = File::create(folder.join("log")).context("make Varnish's log")?;
    let mut command = Command::new(&places.varnish);
    command.arg("-F").arg("-n").arg(folder.join("work")).arg("-f").arg(file);
    // Without a jail: as users of its own, which it takes where it may, it could not read the folder.
    command.args(["-j", "none", "-T", "none", "-s", "malloc,64m", "-p", "feature=+http2"]);
    command.args(["-a", &format!("127.0.0.1:{port}")]).stderr(log);
    Server::start(&mut command, port)
}

/// A Redis of the benchmark's own, which writes nothing to disk.
pub(crate) fn redis(places: &Places) -> Result<Server> {
    redis_at(places, free_port()?)
}

/// The same on this port, such as that of one that was killed.
pub(crate) fn redis_at(places: &Places, port: u16) -> Result<Server> {
    redis_as(places, "redis", port, &[])
}

/// The same in a folder of this name, which is told more.
pub(crate) fn redis_as(places: &Places, name: &str, port: u16, more: &[&str]) -> Result<Server> {
    let mut command = Command::new(&places.redis);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
    command.args(["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"]).args(more);
    command.arg("--dir").arg(places.fresh(name)?);
    Server::start(&mut command, port)
}

/// A Sentinel with this configuration, which it keeps up to date.
pub(crate) fn sentinel(places: &Places, watches: &str) -> Result<Server> {
    let port = free_port()?;
    let folder = places.fresh("redis-sentinel")?;
    let mut command = Command::new(&places.redis);
    command.arg(write(&folder, "sentinel.conf", watches)?).arg("--sentinel");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]).arg("--dir").arg(&folder);
    Server::start(&mut command, port)
}
