//! The balancers of the example, in front of servers of this machine.

use std::fs::File;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::example::{HAPROXY, NGINX, fitted, with_servers};
use crate::places::{Places, free_port, write};
use crate::server::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Balancer {
    Nginx,
    Haproxy,
}

impl Balancer {
    pub(super) const ALL: [Self; 2] = [Self::Nginx, Self::Haproxy];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
        }
    }

    /// Starts it in front of the servers on these ports.
    pub(super) fn start(self, places: &Places, ports: &[u16]) -> Result<Server> {
        match self {
            Self::Nginx => nginx(places, ports),
            Self::Haproxy => haproxy(places, ports),
        }
    }
}

fn nginx(places: &Places, ports: &[u16]) -> Result<Server> {
    let port = free_port()?;
    let folder = places.fresh(&format!("farm-nginx-{}", ports.len()))?;
    let at = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {at}/{kind};\n"))
        .concat();
    let text = fitted(
        &with_servers(NGINX, ports)?,
        &[
            // Started by root, its workers would be someone who may not read the folder; else the line is ignored.
            (
                "events {",
                format!("user root;\ndaemon off;\npid {at}/pid;\nerror_log {at}/error.log;\nevents {{"),
            ),
            ("http {\n", format!("http {{\n  access_log off;\n{temporary}")),
            // Names of containers are asked for again and again. Here are addresses, and versions before 1.27.3 know
            // no other way.
            ("resolver 127.0.0.11 valid=5s;", String::new()),
            (" resolve;", ";".to_owned()),
            ("listen 8080;", format!("listen 127.0.0.1:{port};")),
        ],
    )?;
    let file = write(&folder, "nginx.conf", &text)?;
    let mut command = Command::new(&places.nginx);
    // Where it logs before it has read its configuration.
    command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(file).arg("-p").arg(&folder);
    Server::start(&mut command, port)
}

fn haproxy(places: &Places, ports: &[u16]) -> Result<Server> {
    let port = free_port()?;
    let folder = places.fresh("farm-haproxy")?;
    let bound = ("bind :8080", format!("bind 127.0.0.1:{port}"));
    let file = write(&folder, "haproxy.cfg", &fitted(&with_servers(HAPROXY, ports)?, &[bound])?)?;
    let log = File::create(folder.join("log")).context("make HAProxy's log")?;
    let mut command = Command::new(&places.haproxy);
    // In the foreground, whatever the file says.
    command.arg("-db").arg("-f").arg(file).stderr(log);
    Server::start(&mut command, port)
}
