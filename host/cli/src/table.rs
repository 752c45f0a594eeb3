//! Aligned columns for people. In a terminal that is too narrow the widest columns are cut with `…`;
//! in a pipe nothing is cut.

use crate::screen::plain;
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

const GAP: usize = 2;
/// A column is not cut below this: 8 characters still tell most names apart.
const NARROWEST: usize = 8;

/// Rows under a headline.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    numeric: bool,
}

impl Table {
    /// A table with these columns. A title that begins with `#` is of a column of numbers.
    pub(crate) fn new(titles: &[&'static str]) -> Self {
        let columns = titles
            .iter()
            .map(|title| Column { title: title.trim_start_matches('#'), numeric: title.starts_with('#') });
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row. An empty cell is shown as a dash.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let shown = |cell: String| if cell.is_empty() { "-".to_owned() } else { plain(&cell) };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// True where there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes headline and rows, at most `width` columns wide where that is possible.
    pub(crate) fn write(&self, out: &mut dyn Write, width: Option<usize>) -> io::Result<()> {
        let widths = self.widths(width);
        let titles: Vec<&str> = self.columns.iter().map(|column| column.title).collect();
        self.write_row(out, &titles, &widths)?;
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            self.write_row(out, &cells, &widths)?;
        }
        Ok(())
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| column.title.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let gaps = GAP * widths.len().saturating_sub(1);
        let Some(limit) = limit else { return widths };
        while widths.iter().sum::<usize>() + gaps > limit {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }

    fn write_row(&self, out: &mut dyn Write, cells: &[&str], widths: &[usize]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), column) in cells.iter().zip(widths).zip(&self.columns) {
            let cell = cut(cell, *width);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            if !line.is_empty() {
                line.push_str(&" ".repeat(GAP));
            }
            let (first, second) = if column.numeric { (&padding, &cell) } else { (&cell, &padding) };
            line.push_str(first);
            line.push_str(second);
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// The text, cut to this many columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or_default();
        if used > width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// Names and values of one thing, one pair a line. Pairs without a value are left out.
pub(crate) fn details(pairs: &[(&str, String)]) -> String {
    let shown: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in shown {
        let padding = " ".repeat(width.saturating_sub(name.width()));
        let indent = format!("\n{}", " ".repeat(width + GAP));
        let value = value.lines().map(plain).collect::<Vec<_>>().join(&indent);
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{name}{padding}  {value}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table, width: Option<usize>) -> String {
        let mut out = Vec::new();
        table.write(&mut out, width).expect("a vector takes every byte");
        String::from_utf8(out).expect("tables are text")
    }

    fn sample() -> Table {
        let mut table = Table::new(&["NAME", "TITLE", "#TENANTS"]);
        table.row(["club".into(), "Bücher & 本の会".into(), "3".into()]);
        table.row(["rowing".into(), String::new(), "12".into()]);
        table
    }

    #[test]
    fn aligns_by_display_width() {
        let expected = "\
NAME    TITLE            TENANTS
club    Bücher & 本の会        3
rowing  -                     12
";
        assert_eq!(written(&sample(), None), expected);
    }

    #[test]
    fn cuts_the_widest_column_in_a_narrow_terminal() {
        let text = written(&sample(), Some(30));
        assert!(text.lines().all(|line| line.width() <= 30), "{text}");
        assert!(text.contains("Bücher") && text.contains('…'), "{text}");
    }

    #[test]
    fn a_hostile_title_moves_no_cursor() {
        let mut table = Table::new(&["TITLE"]);
        table.row(["a\u{1b}[2Jb\u{202e}c\n".into()]);
        assert_eq!(written(&table, None), "TITLE\na [2Jb c\n");
    }

    #[test]
    fn details_leave_out_what_is_empty() {
        let text = details(&[("name", "club".into()), ("none", String::new()), ("urls", "a\nb".into())]);
        assert_eq!(text, "name  club\nurls  a\n      b");
    }
}
