//! Rows from an export into an archive, from an archive into an import, and the comparison afterwards.
//! Knows no engine: all of it is written over [`Export`] and [`Import`].

use super::content::{RowHasher, TableContent};
use super::convert::convert;
use super::reader::StagedArchive;
use super::rows::{BLOCK_ROWS, RowReader};
use super::writer::ArchiveWriter;
use super::{ArchiveError, blocking};
use crate::transfer::{ColumnKind, Export, Import, RowBlock, TableShape};
use std::io::Write;
use std::sync::Arc;

/// A table of the archive and where its rows go.
#[derive(Debug)]
pub(super) struct Pair {
    /// Place in the archive.
    pub(super) place: usize,
    /// The target's name.
    pub(super) table: String,
    columns: Vec<Target>,
}

/// A column's name in the archive, and what it is in the target.
#[derive(Clone, Debug)]
struct Target {
    source: String,
    name: String,
    kind: ColumnKind,
}

/// Writes every table. One block is in memory at a time, on its way to another thread.
pub(super) async fn write_tables<W: Write + Send + 'static>(
    export: &mut impl Export,
    mut writer: ArchiveWriter<W>,
) -> Result<ArchiveWriter<W>, ArchiveError> {
    for table in export.tables().to_vec() {
        writer.begin_table(&table.name, table.columns.iter().map(|column| column.name.as_str()));
        loop {
            let rows = read_block(export, &table).await?;
            if rows.is_empty() {
                break;
            }
            writer = blocking(move || writer.rows(&rows).map(|()| writer)).await?;
        }
        writer = blocking(move || writer.end_table().map(|()| writer)).await?;
    }
    Ok(writer)
}

/// Counts and hashes every table.
pub(super) async fn content(export: &mut impl Export) -> Result<Vec<TableContent>, ArchiveError> {
    let mut contents = Vec::new();
    for table in export.tables().to_vec() {
        let names: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
        contents.push(hash(export, &table, &names).await?);
    }
    Ok(contents)
}

/// Pairs the archive's tables and columns with the target's, in the target's order. Engines differ in the
/// case of names. Tables without rows need no place.
pub(super) fn pair(archive: &StagedArchive, targets: &[TableShape]) -> Result<Vec<Pair>, ArchiveError> {
    let mut problems = Vec::new();
    let mut pairs = Vec::new();
    for (place, (table, staged)) in archive.manifest.tables.iter().zip(&archive.tables).enumerate() {
        let shape = &table.shape;
        let Some(at) = find(targets, &shape.name, |target| &target.name) else {
            if staged.content.rows > 0 {
                problems.push(format!("there is no table {}", shape.name));
            }
            continue;
        };
        let Some(target) = targets.get(at) else { continue };
        let mut columns = Vec::new();
        for column in &shape.columns {
            match find(&target.columns, &column.name, |target| &target.name)
                .and_then(|at| target.columns.get(at))
            {
                Some(found) => columns.push(Target {
                    source: column.name.clone(),
                    name: found.name.clone(),
                    kind: found.kind,
                }),
                None => problems.push(format!("table {} has no column {}", target.name, column.name)),
            }
        }
        pairs.push((at, Pair { place, table: target.name.clone(), columns }));
    }
    if !problems.is_empty() {
        return Err(ArchiveError::Shape(problems));
    }
    pairs.sort_by_key(|(at, _)| *at);
    if let Some([(_, one), _]) = pairs.windows(2).find(|two| matches!(two, [(a, _), (b, _)] if a == b)) {
        return Err(ArchiveError::Shape(vec![format!("two tables of the archive are {} here", one.table)]));
    }
    Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
}

/// By the exact name, else by the only one that differs in case alone.
fn find<T>(among: &[T], name: &str, named: impl Fn(&T) -> &str) -> Option<usize> {
    among.iter().position(|one| named(one) == name).or_else(|| {
        let mut alike = among.iter().enumerate().filter(|(_, one)| named(one).eq_ignore_ascii_case(name));
        alike.next().filter(|_| alike.next().is_none()).map(|(at, _)| at)
    })
}

/// Writes the archive's rows, each value in the kind of its column. Gives what the tables must hold now.
pub(super) async fn load(
    import: &mut impl Import,
    archive: &Arc<StagedArchive>,
    pairs: &[Pair],
    loose: bool,
) -> Result<Vec<TableContent>, ArchiveError> {
    import.clear().await.map_err(ArchiveError::sql("clear the tables"))?;
    let mut contents = Vec::new();
    for pair in pairs {
        let names: Vec<_> = pair.columns.iter().map(|column| column.name.clone()).collect();
        let mut hasher = RowHasher::new(names.iter().map(String::as_str));
        let (staged, place) = (Arc::clone(archive), pair.place);
        let mut reader = blocking(move || RowReader::open(&staged, place)).await?;
        let mut done = 0;
        loop {
            let columns = pair.columns.clone();
            let step = move || next_block(reader, hasher, &columns, done, loose);
            let (block, next_reader, next_hasher) =
                blocking(step).await.map_err(|error| name_table(error, archive, pair))?;
            (reader, hasher) = (next_reader, next_hasher);
            if block.is_empty() {
                break;
            }
            let first = done + 1;
            done += block.len() as u64;
            import.write(&pair.table, &names, block).await.map_err(|source| {
                let action = format!("write rows {first} to {done} of table {}", pair.table);
                ArchiveError::Sql { action, source }
            })?;
        }
        contents.push(hasher.finish(&pair.table));
    }
    Ok(contents)
}

fn next_block(
    mut reader: RowReader,
    mut hasher: RowHasher,
    columns: &[Target],
    done: u64,
    loose: bool,
) -> Result<(RowBlock, RowReader, RowHasher), ArchiveError> {
    let mut block = reader.next(BLOCK_ROWS)?;
    for (row, number) in block.iter_mut().zip(done + 1..) {
        for (value, column) in row.iter_mut().zip(columns) {
            let given = std::mem::replace(value, crate::Value::Null);
            *value = convert(given, column.kind, loose).map_err(|reason| ArchiveError::Value {
                table: String::new(),
                column: column.source.clone(),
                row: number,
                reason,
            })?;
        }
        hasher.add(row);
    }
    Ok((block, reader, hasher))
}

fn name_table(error: ArchiveError, archive: &StagedArchive, pair: &Pair) -> ArchiveError {
    match (error, archive.manifest.tables.get(pair.place)) {
        (ArchiveError::Value { column, row, reason, .. }, Some(table)) => {
            ArchiveError::Value { table: table.shape.name.clone(), column, row, reason }
        }
        (other, _) => other,
    }
}

/// Reads the tables that were filled, and compares.
pub(super) async fn verify(
    export: &mut impl Export,
    pairs: &[Pair],
    expected: &[TableContent],
) -> Result<(), ArchiveError> {
    for (pair, expected) in pairs.iter().zip(expected) {
        let shape = export.tables().iter().find(|shape| shape.name == pair.table).cloned();
        let differs = |reason: String| ArchiveError::Differs { table: pair.table.clone(), reason };
        let shape = shape.ok_or_else(|| differs("it is gone".to_owned()))?;
        let names: Vec<_> = pair.columns.iter().map(|column| column.name.clone()).collect();
        let found = hash(export, &shape, &names).await?;
        if found.rows != expected.rows {
            return Err(differs(format!("{} rows instead of {}", found.rows, expected.rows)));
        }
        if found.content != expected.content {
            return Err(differs("a value was changed by being stored".to_owned()));
        }
    }
    Ok(())
}

/// Counts and hashes one table over some of its columns.
async fn hash(
    export: &mut impl Export,
    table: &TableShape,
    names: &[String],
) -> Result<TableContent, ArchiveError> {
    let places: Vec<_> =
        names.iter().filter_map(|name| table.columns.iter().position(|one| one.name == *name)).collect();
    let mut hasher = RowHasher::new(names.iter().map(String::as_str));
    loop {
        let rows = read_block(export, table).await?;
        if rows.is_empty() {
            break;
        }
        let places = places.clone();
        hasher = blocking(move || {
            for mut row in rows {
                let chosen = places.iter().map(|place| {
                    row.get_mut(*place)
                        .map_or(crate::Value::Null, |value| std::mem::replace(value, crate::Value::Null))
                });
                let chosen: Vec<_> = chosen.collect();
                hasher.add(&chosen);
            }
            Ok(hasher)
        })
        .await?;
    }
    Ok(hasher.finish(&table.name))
}

async fn read_block(export: &mut impl Export, table: &TableShape) -> Result<RowBlock, ArchiveError> {
    export.next(table).await.map_err(ArchiveError::sql(format!("read table {}", table.name)))
}
