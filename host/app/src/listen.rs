//! The socket that visitors connect to: one that the service manager hands over, or one of our own.
//!
//! With socket activation (`LISTEN_FDS`) the socket outlives this process: who connects during a restart waits in its
//! queue for the next one. With `reuse-port` two processes listen at once, so that the next one is there before
//! this one goes.

use crate::config::Config;
use anyhow::Context;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// The first socket that a service manager hands over, after the three standard streams.
const FIRST_HANDED: i32 = 3;
/// Connections that wait to be accepted; the system may allow fewer.
const QUEUE: u32 = 1024;

/// Listens as configured.
pub(crate) fn listener(config: &Config) -> anyhow::Result<TcpListener> {
    let pid = std::env::var("LISTEN_PID").ok();
    let count = std::env::var("LISTEN_FDS").ok();
    if is_handed(pid.as_deref(), count.as_deref())? {
        return handed().context("take over the socket that LISTEN_FDS tells of");
    }
    Ok(own(config.listen, config.farm.reuse_port)?)
}

/// True where a socket was meant for this process, and not for the one that started it.
fn is_handed(pid: Option<&str>, count: Option<&str>) -> anyhow::Result<bool> {
    let own = getpid().as_raw_nonzero().to_string();
    match (pid, count) {
        (Some(pid), Some(count)) if pid == own => match count {
            "0" => Ok(false),
            "1" => Ok(true),
            other => anyhow::bail!("LISTEN_FDS hands over {other} sockets: configure one"),
        },
        _ => Ok(false),
    }
}

/// The socket itself stays open beside the copy that is taken here: it is the service manager's as well.
fn handed() -> anyhow::Result<TcpListener> {
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let socket = pidfd_getfd(own, FIRST_HANDED, PidfdGetfdFlags::empty())?;
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    // Says what is wrong where it is no socket that listens.
    listener.local_addr()?;
    Ok(TcpListener::from_std(listener)?)
}

fn own(address: SocketAddr, reuse_port: bool) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for connections of before to be forgotten.
    socket.set_reuseaddr(true)?;
    if reuse_port {
        socket.set_reuseport(true)?;
    }
    socket.bind(address)?;
    socket.listen(QUEUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_shared_only_where_both_say_so() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = own(any, true).unwrap();
        let taken = first.local_addr().unwrap();
        own(taken, true).unwrap();
        assert!(own(taken, false).is_err());
        let alone = own(any, false).unwrap();
        assert!(own(alone.local_addr().unwrap(), true).is_err());
    }

    #[test]
    fn a_socket_for_another_process_is_left_alone() {
        let own = getpid().as_raw_nonzero().to_string();
        assert!(is_handed(Some(&own), Some("1")).unwrap());
        assert!(is_handed(Some(&own), Some("2")).is_err());
        for (pid, count) in
            [(None, None), (Some("1"), Some("1")), (Some(own.as_str()), None), (None, Some("1"))]
        {
            assert!(!is_handed(pid, count).unwrap());
        }
    }
}
