//! One statement that is run many times for a request: what guests and native rivals read, and what they answer.
//!
//! The answer is a checksum of all that was read, so nobody gets it right who has not read all of it, and the
//! benchmark works it out without a database. Invariant: what [`schema`] writes is what [`entry`] says. Called by the
//! guest `calls`, by the native rivals and by the benchmarks.

/// The statement. `$1` is how many rows it gives, as long as the table has as many.
pub const QUERY: &str = "SELECT id, name, note, weight, parent FROM entry WHERE id <= $1 ORDER BY id";

/// The same as MySQL's own drivers take it.
pub const QUERY_MYSQL: &str = "SELECT id, name, note, weight, parent FROM entry WHERE id <= ? ORDER BY id";

/// How many rows the table has.
pub const ROWS: u32 = 1_000;

/// Rows that one INSERT writes, about 150 bytes each: the host takes statements of 100,000 bytes.
const AT_ONCE: usize = 250;

/// Spreads what was read over all bits: odd, so that nothing is lost, with ones and zeros mixed.
const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;

/// What every note begins with; its end tells the row.
const NOTE: &str = "What the members of the club said on the evening of the yearly meeting about number";

/// One row: key, short text, text of 100 bytes, real number, and an integer that every third row lacks.
pub type Entry = (i64, String, String, f64, Option<i64>);

/// The row with this key, from 1 to [`ROWS`].
#[must_use]
pub fn entry(id: u32) -> Entry {
    let parent = if id.is_multiple_of(3) { None } else { Some(i64::from(id / 3)) };
    // Quarters are the same number as text and in binary.
    let weight = f64::from(id) / 4.0 + 0.5;
    (i64::from(id), format!("entry {id}"), format!("{NOTE:<95} {id:>4}"), weight, parent)
}

/// The statements that make and fill the table, in order. `integer` is the engine's type of 64 bits: INTEGER on
/// SQLite, where it makes the key the row's own, and BIGINT on PostgreSQL and MySQL.
#[must_use]
pub fn schema(integer: &str) -> Vec<String> {
    let mut statements = vec![format!(
        "CREATE TABLE entry (id {integer} PRIMARY KEY, name VARCHAR(40) NOT NULL, note VARCHAR(200) NOT NULL, \
         weight DOUBLE PRECISION NOT NULL, parent {integer})"
    )];
    let ids: Vec<u32> = (1..=ROWS).collect();
    statements.extend(ids.chunks(AT_ONCE).map(|ids| {
        let rows: Vec<String> = ids.iter().map(|id| literal(&entry(*id))).collect();
        format!("INSERT INTO entry (id, name, note, weight, parent) VALUES {}", rows.join(", "))
    }));
    statements
}

fn literal((id, name, note, weight, parent): &Entry) -> String {
    let parent = parent.map_or_else(|| "NULL".to_owned(), |parent| parent.to_string());
    format!("({id}, '{name}', '{note}', {weight}, {parent})")
}

/// A checksum of rows, in the order they were read.
#[derive(Debug, Default)]
pub struct Checksum {
    rows: u64,
    sum: u64,
}

impl Checksum {
    /// Adds what one call has read.
    pub fn add(&mut self, entries: &[Entry]) {
        for (id, name, note, weight, parent) in entries {
            self.rows += 1;
            let parent = parent.map_or(u64::MAX, i64::cast_unsigned);
            for word in [id.cast_unsigned(), ends(name), ends(note), weight.to_bits(), parent] {
                self.sum = (self.sum.rotate_left(5) ^ word).wrapping_mul(PRIME);
            }
        }
    }

    /// What is answered.
    #[must_use]
    pub fn answer(&self) -> String {
        format!("{} rows, {:016x}\n", self.rows, self.sum)
    }
}

/// A text by its length and last byte: the reading is to be measured, not the sum.
fn ends(text: &str) -> u64 {
    let last = text.as_bytes().last().copied().unwrap_or_default();
    ((text.len() as u64) << 8) | u64::from(last)
}

/// The right answer to so many calls of so many rows.
#[must_use]
pub fn right_answer(calls: u32, rows: u32) -> String {
    let entries: Vec<Entry> = (1..=rows.min(ROWS)).map(entry).collect();
    let mut checksum = Checksum::default();
    for _ in 0..calls {
        checksum.add(&entries);
    }
    checksum.answer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_a_hundred_bytes_and_every_third_row_no_parent() {
        for id in [1, 2, 3, 999, ROWS] {
            let (key, _, note, _, parent) = entry(id);
            assert_eq!((key, note.len()), (i64::from(id), 100));
            assert_eq!(parent.is_none(), id % 3 == 0, "{id}");
        }
    }

    #[test]
    fn the_table_gets_all_rows_in_statements_that_the_host_takes() {
        let statements = schema("BIGINT");
        let rows: usize = statements.iter().map(|text| text.matches("'entry ").count()).sum();
        assert_eq!(rows, usize::try_from(ROWS).unwrap_or(0));
        assert!(statements.iter().all(|text| text.len() < 100_000 && !text.contains("''")));
    }

    #[test]
    fn a_row_or_a_column_more_or_less_is_another_answer() {
        let right = right_answer(1, 2);
        assert!(right.starts_with("2 rows, ") && right == right_answer(1, 2));
        let [first, second] = [entry(1), entry(2)];
        let changed: [Entry; 5] = [
            (7, second.1.clone(), second.2.clone(), second.3, second.4),
            (second.0, "entry 7".to_owned(), second.2.clone(), second.3, second.4),
            (second.0, second.1.clone(), String::new(), second.3, second.4),
            (second.0, second.1.clone(), second.2.clone(), 7.0, second.4),
            (second.0, second.1.clone(), second.2.clone(), second.3, None),
        ];
        for other in changed {
            let mut checksum = Checksum::default();
            checksum.add(&[first.clone(), other]);
            assert_ne!(checksum.answer(), right);
        }
        assert_ne!(right_answer(2, 1), right);
    }
}
