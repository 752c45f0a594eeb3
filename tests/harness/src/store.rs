//! A store of objects of a test's own, which speaks S3 over HTTP as far as a server needs it: moto, in memory.
//!
//! It ends with the test and keeps nothing. Where the program is missing, the error says what has it.

use crate::client::Client;
use crate::process::named;
use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start on a busy machine: it is a program of Python's with many libraries.
const PATIENCE: Duration = Duration::from_secs(60);

/// The only bucket.
const BUCKET: &str = "sites";

/// A running store with one empty bucket. Ended when dropped.
pub struct TestStore {
    child: Child,
    port: u16,
}

impl TestStore {
    /// Starts one.
    ///
    /// # Errors
    /// Where the program is missing or doesn't start.
    pub fn start() -> Result<Self> {
        // Another program may take the port between its choice and its use.
        for _attempt in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut child = launch(port)?;
            if made(&mut child, port)? {
                return Ok(Self { child, port });
            }
        }
        bail!("the stand-in for S3 ended at once, five times")
    }

    /// Ends it at once. What it had is gone.
    ///
    /// # Errors
    /// Where it can't be waited for.
    pub fn stop(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again where it was, with an empty bucket.
    ///
    /// # Errors
    /// Where it doesn't start.
    pub fn start_again(&mut self) -> Result<()> {
        self.child = launch(self.port)?;
        anyhow::ensure!(made(&mut self.child, self.port)?, "the stand-in for S3 does not start again");
        Ok(())
    }

    /// The section of a server's configuration that leads here. `key` is a file that this writes.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn section(&self, key: PathBuf) -> Result<String> {
        std::fs::write(&key, "aws_access_key_id = test\naws_secret_access_key = test\n")?;
        Ok(format!(
            "[files]\nbucket = \"{BUCKET}\"\nprefix = \"farm\"\nendpoint = \"http://127.0.0.1:{}\"\n\
             allow-http = true\ncredentials-file = \"{}\"\n",
            self.port,
            key.display()
        ))
    }

    /// Whether there is an object of this key.
    ///
    /// # Errors
    /// Where it doesn't answer.
    pub fn has(&self, key: &str) -> Result<bool> {
        Ok(self.keys()?.contains(&format!("<Key>{key}</Key>")))
    }

    /// Whether any key has this in it.
    ///
    /// # Errors
    /// Where it doesn't answer.
    pub fn has_any(&self, part: &str) -> Result<bool> {
        Ok(self.keys()?.split("<Key>").skip(1).any(|key| key.contains(part)))
    }

    fn keys(&self) -> Result<String> {
        let listed = client(self.port).get(&format!("/{BUCKET}?list-type=2"))?.expect(200)?;
        Ok(listed.text())
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        // Already gone where the test ended it itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn client(port: u16) -> Client {
    Client::new(&format!("127.0.0.1:{port}"))
}

fn launch(port: u16) -> Result<Child> {
    let program = named("ROWHOUSE_TEST_MOTO").unwrap_or_else(|| PathBuf::from("moto_server"));
    Command::new(&program)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| {
            format!(
                "start {}: this test needs moto's server (`pip install \"moto[s3]\" flask flask-cors`); name it with \
                 ROWHOUSE_TEST_MOTO, or run the tests by `cargo xtask test`, which installs it",
                program.display()
            )
        })
}

/// Waits until it answers, and makes the bucket. False where it ended.
fn made(child: &mut Child, port: u16) -> Result<bool> {
    let end = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if let Ok(answer) = client(port).send("PUT", &format!("/{BUCKET}"), None) {
            answer.expect(200)?;
            return Ok(true);
        }
        if Instant::now() > end {
            drop(child.kill());
            bail!("the stand-in for S3 does not answer");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(false)
}
