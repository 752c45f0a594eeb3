//! A TCP relay whose cut is an outage: every connection through it ends at once and new ones are refused, while the
//! server behind it goes on for everybody else.

use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::places::free_port;

/// Between two looks for a connection. Only connecting waits for it, what is said on a connection never does.
const PAUSE: Duration = Duration::from_millis(2);

/// See the module. Cut when dropped.
pub(super) struct Relay {
    pub(super) port: u16,
    target: String,
    /// None while it is cut.
    line: Option<Line>,
}

/// What runs while it is not cut.
struct Line {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    cut: AtomicBool,
    /// Both ends of each connection there ever was.
    streams: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Relays a free port to `target`, HOST:PORT.
    pub(super) fn start(target: &str) -> Result<Self> {
        let mut relay = Self { port: free_port()?, target: target.to_owned(), line: None };
        relay.mend()?;
        Ok(relay)
    }

    /// Ends every connection and refuses new ones.
    pub(super) fn cut(&mut self) -> Result<()> {
        let Some(Line { shared, accepting }) = self.line.take() else { return Ok(()) };
        shared.cut.store(true, Ordering::SeqCst);
        // The listener ends with its thread, so nobody comes after those who are in the list.
        if accepting.join().is_err() {
            bail!("the relay panicked");
        }
        for stream in shared.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that has ended by itself can't be ended again.
            let _ended = stream.shutdown(Shutdown::Both);
        }
        Ok(())
    }

    /// Listens again on the same port.
    pub(super) fn mend(&mut self) -> Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).context("listen for the relay")?;
        listener.set_nonblocking(true).context("listen for the relay")?;
        let shared = Arc::new(Shared::default());
        let (target, own) = (self.target.clone(), Arc::clone(&shared));
        let accepting = std::thread::spawn(move || accept(&listener, &target, &own));
        self.line = Some(Line { shared, accepting });
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Err(error) = self.cut() {
            println!("    the relay is left: {error:#}");
        }
    }
}

fn accept(listener: &TcpListener, target: &str, shared: &Shared) {
    while !shared.cut.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((near, _peer)) => {
                // Who can't be led on is hung up on, as by a server that is not there.
                if let Err(error) = join(near, target, shared) {
                    println!("    the relay leads nobody to {target}: {error}");
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) => {
                println!("    the relay takes nobody in: {error}");
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// Joins a connection with one of its own to the target.
fn join(near: TcpStream, target: &str, shared: &Shared) -> std::io::Result<()> {
    let far = TcpStream::connect(target)?;
    near.set_nonblocking(false)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let kept = [near.try_clone()?, far.try_clone()?];
    shared.streams.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
    let (from_near, to_far) = (near.try_clone()?, far.try_clone()?);
    std::thread::spawn(move || pump(from_near, to_far));
    std::thread::spawn(move || pump(far, near));
    Ok(())
}

/// Passes on what comes, until either end closes; then both are closed.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _how_it_ended = std::io::copy(&mut from, &mut to);
    for stream in [from, to] {
        let _ended = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn a_cut_ends_what_is_open_and_refuses_what_comes() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut relay = Relay::start(&server.local_addr().unwrap().to_string()).unwrap();
        for _outage in 0..2 {
            let mut visitor = TcpStream::connect(("127.0.0.1", relay.port)).unwrap();
            let (mut served, _peer) = server.accept().unwrap();
            served.write_all(b"hello").unwrap();
            let mut heard = [0; 5];
            visitor.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"hello");
            relay.cut().unwrap();
            assert_eq!(visitor.read(&mut heard).unwrap_or(0), 0);
            assert!(TcpStream::connect(("127.0.0.1", relay.port)).is_err());
            relay.mend().unwrap();
        }
    }
}
