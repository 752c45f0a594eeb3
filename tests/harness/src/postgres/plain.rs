//! A PostgreSQL server that lets everybody on this machine in, and that may go away for a while.

use super::place::{PATIENCE, Place, end_at_once};
use anyhow::{Context, Result, bail, ensure};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A server. Ended when dropped.
pub struct PlainPostgres {
    child: Child,
    place: Place,
    port: u16,
}

impl PlainPostgres {
    /// Makes a server with an empty cluster and starts it.
    ///
    /// # Errors
    /// Where a program is missing or it doesn't start.
    pub fn start() -> Result<Self> {
        let place = Place::make()?;
        let (child, port) = place.start(&[])?;
        Ok(Self { child, place, port })
    }

    /// The superuser's URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements as the superuser. Returns the rows, a line each.
    ///
    /// # Errors
    /// Where one fails.
    pub fn ask(&self, statements: &str) -> Result<String> {
        self.place.ask(self.port, statements)
    }

    /// Stops it as an operator does: every connection ends at once, nothing that was committed is lost.
    ///
    /// # Errors
    /// Where it is not there, or does not end.
    pub fn stop(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "PostgreSQL has ended already:\n{}", self.place.log());
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        ensure!(asked.context("start kill")?.success(), "SIGINT did not reach PostgreSQL");
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("PostgreSQL does not end:\n{}", self.place.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Starts it again after a stop, on the same data and port.
    ///
    /// # Errors
    /// Where it doesn't start, such as because another program took the port.
    pub fn start_again(&mut self) -> Result<()> {
        let started = self.place.start_on(self.port, &[])?;
        self.child = started.with_context(|| format!("PostgreSQL ended at once:\n{}", self.place.log()))?;
        Ok(())
    }
}

impl Drop for PlainPostgres {
    fn drop(&mut self) {
        end_at_once(&mut self.child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_after_a_stop() -> Result<()> {
        let mut postgres = PlainPostgres::start()?;
        postgres.ask("CREATE TABLE kept (value INT); INSERT INTO kept VALUES (7)")?;
        postgres.stop()?;
        assert!(postgres.ask("SELECT 1").is_err() && postgres.stop().is_err());
        postgres.start_again()?;
        assert_eq!(postgres.ask("SELECT value FROM kept")?, "7");
        Ok(())
    }
}
