//! A command to a Redis or a Sentinel of this machine, as a person types it, and the answer as it comes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the one on this port.
pub(super) fn ask(port: u16, words: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("reach Redis")?;
    stream.set_read_timeout(Some(PATIENCE)).context("bound the answer of Redis")?;
    stream.write_all(format!("{words}\r\n").as_bytes()).context("ask Redis")?;
    // Who is asked nothing more hangs up after the answer.
    stream.shutdown(Shutdown::Write).context("ask Redis")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("hear what Redis says to {words}"))?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_answer_is_read_whole() {
        let redis = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = redis.local_addr().unwrap().port();
        let asked = std::thread::spawn(move || ask(port, "PING"));
        let (mut stream, _peer) = redis.accept().unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        stream.write_all(b"+PO").unwrap();
        stream.write_all(b"NG\r\n").unwrap();
        drop(stream);
        assert_eq!((heard.as_str(), asked.join().unwrap().unwrap().as_str()), ("PING\r\n", "+PONG\r\n"));
    }
}
