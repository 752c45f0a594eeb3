//! `cargo xtask bench`: builds host, guests and rivals, then runs the crate `rowhouse-bench`.

use anyhow::Result;

use crate::packages::{FAKETIME, H2LOAD, HAPROXY, NGINX, REDIS, VARNISH, WRK, provide};
use crate::process::{cargo, program, run as start, target};
use crate::{guests, tools};

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench [SECTION]... [--quick | --rounds N]

Measures the server against native servers, nginx, Varnish and `wasmtime serve`, one after the other on
this machine, and writes TARGET/bench/RESULTS.md. The first run builds everything in release mode and
installs what is missing (wrk, h2load, nginx, Varnish, HAProxy, Redis, libfaketime) where that is possible, else
names it.

Sections (default: all):
  dynamic  Smallest answers: fast lane, wasi:http 0.2 and 0.3
  sql      A page of 20 rows
  calls    A statement of a guest's beside a native driver's, on SQLite, PostgreSQL and MySQL
  cache    A kept page, from memory and from Redis, over HTTP/1.1 and HTTP/2
  site     The home page of the shipped site, kept and made for each request
  tenants  Requests spread over 1, 100 and 10,000 tenants
  noisy    A quiet tenant beside each attack
  density  Start time and memory with 0, 1,000 and 10,000 tenants, memory of 1,000 that were visited
  swap     Failed requests while the release of 100 tenants is changed
  farm     Three servers behind nginx and HAProxy, on the PostgreSQL of the tests; or one part of it:
           farm:visibility  How soon a change is on the other servers, with Redis and without
           farm:writers     Changes on two servers at the same time: is any lost?
           farm:restart     A rolling restart and a rolling upgrade under load
           farm:scaling     What a request costs with one, two and three servers
           farm:faults      What visitors see while Redis, a server, its clock or disk, or a database server fails (as
                            root); some of it: farm:faults:redis, :servers, :databases, :control, :clocks, :disk
           The same on MariaDB, only where it is named: farm:mysql:visibility, :writers, :restart, :scaling, or
           farm:mysql for these four; farm:mysql:faults:redis, :servers, :control, :clocks, :disk

Options:
  --quick     One short round each: shows that it works, not how fast it is
  --rounds N  Rounds that count, 5 where nothing is said
";

/// The same version as the host's engine.
const WASMTIME: &str = "48.0.8";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [wrk, h2load, nginx, varnish, haproxy, redis, faketime] =
        provide([&WRK, &H2LOAD, &NGINX, &VARNISH, &HAPROXY, &REDIS, &FAKETIME])?;
    guests::build()?;
    // The whole workspace is selected so that shared dependencies get the same features everywhere.
    let programs = ["--bin", "rowhouse", "--bin", "rowhouse-bench", "--bin", "rowhouse-rival"];
    start(cargo(&["build", "--release", "--workspace"]).args(programs))?;
    let wasmtime = tools::wasmtime(WASMTIME)?;

    let release = target().join("release");
    let mut command = program(&release.join("rowhouse-bench").to_string_lossy(), &[]);
    command
        .args(arguments)
        .env("ROWHOUSE_BENCH_TARGET", target())
        .env("ROWHOUSE_BENCH_WRK", wrk)
        .env("ROWHOUSE_BENCH_H2LOAD", h2load)
        .env("ROWHOUSE_BENCH_NGINX", nginx)
        .env("ROWHOUSE_BENCH_VARNISH", varnish)
        .env("ROWHOUSE_BENCH_HAPROXY", haproxy)
        .env("ROWHOUSE_BENCH_REDIS", redis)
        .env("ROWHOUSE_BENCH_FAKETIME", faketime)
        .env("ROWHOUSE_BENCH_WASMTIME", wasmtime);
    start(&mut command)
}
