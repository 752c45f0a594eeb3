//! Starting the rivals.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::places::{Places, free_port, write};
use crate::server::Server;

/// A native server: `hello`, `rusqlite` or `sqlx`.
pub(crate) fn native(places: &Places, kind: &str) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(places.rival());
    command.args([kind, &port.to_string()]).arg(places.fresh(&format!("rival-{kind}"))?);
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

/// nginx with one static page.
pub(crate) fn nginx(places: &Places, page: &str) -> Result<Server> {
    let port = free_port()?;
    let folder = places.fresh("nginx")?;
    write(&folder, "index.html", page)?;
    let at = folder.display();
    // Started by root, its workers would be someone who may not read the folder; else the line is ignored.
    let configuration = format!(
        "user root;\ndaemon off;\nworker_processes auto;\npid {at}/pid;\nerror_log {at}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  keepalive_requests 100000000;\n  types {{ text/html html; }}\n\
         \x20 client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n  fastcgi_temp_path {at}/fastcgi;\n\
         \x20 uwsgi_temp_path {at}/uwsgi;\n  scgi_temp_path {at}/scgi;\n\
         \x20 server {{ listen 127.0.0.1:{port}; root {at}; }}\n}}\n"
    );
    let file = write(&folder, "nginx.conf", &configuration)?;
    let mut command = Command::new(&places.nginx);
    // Where it logs before it has read its configuration.
    command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(file).arg("-p").arg(&folder);
    Server::start(&mut command, port)
}
