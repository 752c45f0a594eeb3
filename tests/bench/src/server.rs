//! A server process: started, waited for, accounted, ended.
//!
//! Processor time and memory come from /proc and cover all threads and child processes, because nginx
//! works in children. A server is killed when dropped; none outlives the run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Linux counts processor time in hundredths of a second on every machine this runs on (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// How long a server may take until it answers: the largest has 10,000 tenants to read.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// From the start of the process to its first answer.
    pub(crate) started_in: Duration,
}

/// What a server has used since it was started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// Resident memory now, in KiB.
    pub(crate) resident: u64,
    /// The most it ever was, in KiB.
    pub(crate) peak: u64,
}

impl Server {
    /// Starts a command that listens on `port`, and waits until it takes connections.
    pub(crate) fn start(command: &mut Command, port: u16) -> Result<Self> {
        let begin = Instant::now();
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let mut server = Self { child, port, started_in: Duration::ZERO };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            server.still_there(&name)?;
            if begin.elapsed() > PATIENCE {
                bail!("{name} does not listen on port {port}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        server.started_in = begin.elapsed();
        Ok(server)
    }

    /// Starts a command and waits for the line on its standard output that begins with `word`.
    pub(crate) fn start_until(command: &mut Command, port: u16, word: &str) -> Result<Self> {
        let begin = Instant::now();
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let output = child.stdout.take().context("read the standard output")?;
        let mut server = Self { child, port, started_in: Duration::ZERO };
        let mut lines = BufReader::new(output).lines();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.starts_with(word) => break,
                Some(Ok(_)) => {}
                _ => {
                    server.still_there(&name)?;
                    bail!("{name} closed its output before it was ready");
                }
            }
        }
        server.started_in = begin.elapsed();
        // Whoever stops reading stops the writer, once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    /// The base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Processor time and memory of the process and its children.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        let mut processes = vec![self.child.id()];
        while let Some(process) = processes.pop() {
            let folder = Path::new("/proc").join(process.to_string());
            let stat = fs::read_to_string(folder.join("stat"))
                .with_context(|| format!("account for process {process}"))?;
            usage.cpu += cpu(&stat).context("read the processor time")?;
            let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
            usage.resident += kib(&status, "VmRSS:");
            usage.peak += kib(&status, "VmHWM:");
            for task in fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                processes.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
            }
        }
        Ok(usage)
    }

    /// Sends a signal, such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        if !sent.context("start kill")?.success() {
            bail!("kill {name} did not reach the server");
        }
        Ok(())
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("kill the server")?;
        self.child.wait().context("wait for the end of the server")?;
        Ok(())
    }

    /// Asks it to end, and waits. Any end but a good one is an error.
    pub(crate) fn end(&mut self, patience: Duration) -> Result<()> {
        self.signal("-TERM")?;
        let until = Instant::now() + patience;
        loop {
            match self.child.try_wait().context("look at the server")? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server ended badly ({status})"),
                None if Instant::now() > until => bail!("the server does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn still_there(&mut self, name: &str) -> Result<()> {
        match self.child.try_wait().context("look at the server")? {
            Some(status) => bail!("{name} ended ({status})"),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its number may be someone else's once it has ended.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // The polite way first: nginx's children end with their parent's SIGTERM only.
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        let until = Instant::now() + Duration::from_secs(5);
        while asked.is_ok() && Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time from /proc/PID/stat. The name in brackets may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user + system))
}

fn kib(status: &str, key: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194304 1 0 0 0 12 30 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu(stat), Some(Duration::from_millis(420)));
    }

    #[test]
    fn memory_is_read_by_its_key() {
        let status = "VmPeak:\t 9 kB\nVmHWM:\t  1234 kB\nVmRSS:\t  1000 kB\n";
        assert_eq!((kib(status, "VmHWM:"), kib(status, "VmRSS:"), kib(status, "VmSwap:")), (1234, 1000, 0));
    }
}
