//! What hostile guests write, line by line.

use super::*;
use sqlparser::tokenizer::Token;

/// A line of a corpus: the statement, and whether a comment before it calls it harmless.
fn lines(dialect: Dialect) -> Vec<(String, bool)> {
    let corpus = match dialect {
        Dialect::Sqlite => include_str!("../../../tests/corpus/sqlite.sql"),
        Dialect::Postgresql => include_str!("../../../tests/corpus/postgresql.sql"),
        Dialect::Mysql => include_str!("../../../tests/corpus/mysql.sql"),
    };
    let neighbour = super::super::Prefix::of(rowhouse_base::id::TenantId::new()).to_string();
    let mut allowed = false;
    let mut found = Vec::new();
    for line in corpus.lines().filter(|line| !line.is_empty()) {
        if line.starts_with("-- ") {
            allowed = line.starts_with("-- allowed: ");
            continue;
        }
        let text = line
            .replace("{neighbour}", &neighbour)
            .replace("{database}", "rowhouse_neighbour")
            .replace("{nul}", "\0")
            .replace("{newline}", "\n");
        found.push((text, std::mem::take(&mut allowed)));
    }
    found
}

#[test]
fn every_hostile_line_is_refused_and_every_harmless_one_passes() {
    let mut wrong = Vec::new();
    for dialect in ALL {
        let lines = lines(dialect);
        assert!(lines.len() >= 300, "{dialect:?} has {} lines", lines.len());
        for (text, allowed) in lines {
            for naming in [Naming::Plain, Naming::Prefixed] {
                let as_guest = guest(dialect, naming, &text);
                let as_migration = migration(dialect, naming, &text);
                if as_migration.is_ok() != allowed || (!allowed && as_guest.is_ok()) {
                    wrong.push(format!("{dialect:?} {naming:?} {text:?}: {as_migration:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever passes names tables with a hole before them, and nothing else of another tenant's.
#[test]
fn what_passes_names_own_tables_only() {
    for dialect in ALL {
        for (text, _) in lines(dialect) {
            let Ok(template) = migration(dialect, Naming::Prefixed, &text) else { continue };
            let mine = super::super::Prefix::of(rowhouse_base::id::TenantId::new());
            let filled = template.text(Some(&mine)).into_owned();
            for token in super::super::tokens::split(&filled, dialect).unwrap() {
                let Token::Word(word) = token.token else { continue };
                assert!(!word.value.contains("rowhouse_neighbour"), "{filled}");
            }
            assert_eq!(filled.replace(mine.as_str(), super::super::prefix::HOLE), template.text(None));
        }
    }
}
