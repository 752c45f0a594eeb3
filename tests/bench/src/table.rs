//! The results as Markdown: one table a section, each with its ratios.

use std::fmt::Write as _;

use crate::Effort;
use crate::rounds::Figures;

/// What has been measured so far.
pub(crate) struct Report(String);

/// A goal: how much of another contender's requests per second one should reach.
pub(crate) struct Goal {
    pub(crate) contender: &'static str,
    pub(crate) rival: &'static str,
    pub(crate) at_least: f64,
}

impl Report {
    /// The heading, with the machine and the effort.
    pub(crate) fn begin(effort: Effort) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let mut text = String::from("# Benchmark\n\n");
        let Effort { rounds, seconds, .. } = effort;
        // Writing to a String can't fail, here and below.
        let _ = writeln!(
            text,
            "{cores} cores, load and server on the same ones; wrk, 32 connections; medians of {rounds} interleaved \
             rounds of {seconds} s after a warm-up."
        );
        if effort.quick {
            text.push_str("\n**A quick run: it shows that everything works, not how fast it is.**\n");
        }
        Self(text)
    }

    /// A heading.
    pub(crate) fn section(&mut self, title: &str) {
        let _ = write!(self.0, "\n## {title}\n\n");
    }

    /// A paragraph.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = write!(self.0, "\n{text}\n");
    }

    /// A table of contenders, then one of goals.
    pub(crate) fn figures(&mut self, figures: &[Figures], goals: &[Goal]) {
        self.0.push_str(
            "| | req/s | server CPU µs/req | p50 ms | p99 ms | peak MiB |\n|---|---:|---:|---:|---:|---:|\n",
        );
        for one in figures {
            let _ = writeln!(
                self.0,
                "| {} | {:.0} | {:.1} | {} | {} | {} |",
                one.name,
                one.requests_per_second,
                one.cpu,
                millis(one.p50),
                millis(one.p99),
                one.peak / 1024
            );
        }
        let find = |name: &str| figures.iter().find(|one| one.name == name);
        let ratios: Vec<_> =
            goals.iter().filter_map(|goal| Some((goal, find(goal.contender)?, find(goal.rival)?))).collect();
        if ratios.is_empty() {
            return;
        }
        self.0.push_str("\n| ratio of req/s | is | goal | of CPU |\n|---|---:|---:|---:|\n");
        for (goal, contender, rival) in ratios {
            let ratio = contender.requests_per_second / rival.requests_per_second;
            let mark = if ratio >= goal.at_least { "" } else { " (missed)" };
            let _ = writeln!(
                self.0,
                "| {} / {} | {ratio:.2} | ≥ {:.2}{mark} | {:.2} |",
                goal.contender,
                goal.rival,
                goal.at_least,
                contender.cpu / rival.cpu
            );
        }
    }

    /// A table of any shape.
    pub(crate) fn rows(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let _ = writeln!(self.0, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            let _ = writeln!(self.0, "| {} |", row.join(" | "));
        }
    }

    pub(crate) fn into_markdown(self) -> String {
        self.0
    }
}

fn millis(time: Option<std::time::Duration>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| format!("{:.2}", time.as_secs_f64() * 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn figures(name: &str, rate: f64) -> Figures {
        let time = Duration::from_millis(1);
        Figures {
            name: name.to_owned(),
            requests_per_second: rate,
            cpu: 10.0,
            p50: Some(time),
            p99: None,
            peak: 2048,
        }
    }

    #[test]
    fn a_missed_goal_is_marked_and_a_met_one_is_not() {
        let mut report = Report(String::new());
        let goal = |at_least| Goal { contender: "ours", rival: "theirs", at_least };
        report.figures(&[figures("ours", 120.0), figures("theirs", 100.0)], &[goal(1.3), goal(1.1)]);
        let text = report.into_markdown();
        assert!(text.contains("| ours | 120 | 10.0 | 1.00 | – | 2 |"), "{text}");
        assert!(text.contains("| ours / theirs | 1.20 | ≥ 1.30 (missed) | 1.00 |"), "{text}");
        assert!(text.contains("| ours / theirs | 1.20 | ≥ 1.10 | 1.00 |"), "{text}");
    }
}
