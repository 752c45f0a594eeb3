//! What a command may write to and read from: results, notes, and a person who may be asked.
//!
//! Results go to one stream and notes to another, so that a pipe holds results alone. Text from a
//! server is made harmless by [`plain`] before it reaches a terminal.

use crate::failure::Failure;
use crate::table::Table;
use serde_json::Value;
use std::io::{self, BufRead, Write};

/// Streams and abilities of the place where a command runs.
pub(crate) struct Screen<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Progress, prompts, warnings, errors.
    pub notes: &'a mut dyn Write,
    /// Answers of the person, or piped input.
    pub input: &'a mut dyn BufRead,
    /// True where a person sits in front of it and may be asked.
    pub can_ask: bool,
    /// True where notes go to a terminal, so that a bar may move.
    pub can_animate: bool,
    /// Columns to fit into; none where results go to a file or a pipe.
    pub width: Option<usize>,
    /// Print JSON instead of text for people.
    pub json: bool,
}

impl Screen<'_> {
    /// Writes one line of the result.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes one line beside the result.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.notes, "{text}")
    }

    /// Writes a document of the API as it came, indented.
    pub(crate) fn document(&mut self, value: &Value) -> io::Result<()> {
        writeln!(self.out, "{value:#}")
    }

    /// Says that something is done, or writes the API's answer with `--json`.
    pub(crate) fn done(&mut self, answer: &Value, text: &str) -> Result<(), Failure> {
        match self.json {
            true => self.document(answer)?,
            false => self.line(&plain(text))?,
        }
        Ok(())
    }

    /// Writes a table, or `empty` where it has no rows.
    pub(crate) fn table(&mut self, table: &Table, empty: &str) -> io::Result<()> {
        if table.is_empty() {
            return self.note(empty);
        }
        table.write(self.out, self.width)
    }

    /// Asks for one line. None at the end of the input.
    pub(crate) fn ask(&mut self, prompt: &str) -> io::Result<Option<String>> {
        write!(self.notes, "{prompt}")?;
        self.notes.flush()?;
        self.read_line()
    }

    /// Reads one line without its line break.
    pub(crate) fn read_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.input.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// The text without control characters, which could move a terminal's cursor or recolour it, and
/// without those that turn the direction of writing.
pub(crate) fn plain(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    text.chars().map(|c| if hostile(c) { ' ' } else { c }).collect()
}
