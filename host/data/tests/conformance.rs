//! One suite of SQL behaviour for every engine and isolation. A guest must not be able to tell them apart
//! by anything but the dialect.
//!
//! Each test body is written once, against the room's public interface, and run for each pair. Real servers
//! are used: those named by `ROWHOUSE_TEST_POSTGRES` and `ROWHOUSE_TEST_MARIADB`, else those on their
//! standard local ports. One that can't be reached fails the tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says so by panicking"
)]

#[path = "conformance/journey.rs"]
mod journey;
#[path = "conformance/limits.rs"]
mod limits;
#[path = "conformance/migrations.rs"]
mod migrations;
#[path = "conformance/setup.rs"]
mod setup;
#[path = "conformance/statements.rs"]
mod statements;
#[path = "conformance/transactions.rs"]
mod transactions;
#[path = "conformance/values.rs"]
mod values;

/// Makes a test of each body for each pair of engine and isolation.
macro_rules! on_every_engine {
    ($($body:path => $name:ident;)*) => {
        on_every_engine!(@pair sqlite_database, Sqlite, Database, $($body => $name;)*);
        on_every_engine!(@pair sqlite_prefix, Sqlite, Prefix, $($body => $name;)*);
        on_every_engine!(@pair postgresql_database, Postgresql, Database, $($body => $name;)*);
        on_every_engine!(@pair postgresql_prefix, Postgresql, Prefix, $($body => $name;)*);
        on_every_engine!(@pair mysql_database, Mysql, Database, $($body => $name;)*);
        on_every_engine!(@pair mysql_prefix, Mysql, Prefix, $($body => $name;)*);
    };
    (@pair $pair:ident, $engine:ident, $isolation:ident, $($body:path => $name:ident;)*) => {
        mod $pair {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let site = crate::setup::Site::new(
                        rowhouse_data::Dialect::$engine,
                        rowhouse_data::Isolation::$isolation,
                    )
                    .await;
                    site.run(async |site| $body(site).await).await;
                }
            )*
        }
    };
}

on_every_engine! {
    crate::values::every_kind_comes_back => every_kind_comes_back;
    crate::values::nulls_of_every_kind => nulls_of_every_kind;
    crate::values::extremes => extremes;
    crate::values::unicode => unicode;
    crate::values::parameters_are_checked => parameters_are_checked;
    crate::statements::empty_results_name_their_columns => empty_results_name_their_columns;
    crate::statements::writes_say_what_they_did => writes_say_what_they_did;
    crate::statements::constraints_are_told_apart => constraints_are_told_apart;
    crate::statements::joins_groups_and_common_tables => joins_groups_and_common_tables;
    crate::statements::what_guests_may_not_do => what_guests_may_not_do;
    crate::statements::mistakes_are_syntax_errors => mistakes_are_syntax_errors;
    crate::statements::a_hundred_thousand_rows_in_pages => a_hundred_thousand_rows_in_pages;
    crate::transactions::commit_keeps_and_rollback_undoes => commit_keeps_and_rollback_undoes;
    crate::transactions::dropping_rolls_back => dropping_rolls_back;
    crate::transactions::a_failed_statement_leaves_the_rest => a_failed_statement_leaves_the_rest;
    crate::transactions::readers_see_one_snapshot_and_write_nothing => readers_see_one_snapshot_and_write_nothing;
    crate::transactions::batches_are_all_or_nothing => batches_are_all_or_nothing;
    crate::transactions::writers_in_each_others_way_conflict_or_wait => writers_in_each_others_way_conflict_or_wait;
    crate::limits::rows_bytes_and_statements => rows_bytes_and_statements;
    crate::limits::a_deadline_ends_the_statement_and_nothing_else => a_deadline_ends_the_statement_and_nothing_else;
    crate::limits::connections_are_bounded_per_tenant => connections_are_bounded_per_tenant;
    crate::limits::a_neighbour_is_out_of_reach => a_neighbour_is_out_of_reach;
    crate::migrations::runs_that_meet_apply_each_step_once => runs_that_meet_apply_each_step_once;
}
