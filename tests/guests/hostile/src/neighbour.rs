//! Tries to read another tenant's data: the test names the neighbour as `name=` and `id=`.

use crate::exports::rowhouse::site::handler::{Request, Response};
use crate::files;
use crate::rowhouse::host::sql;
use crate::verdict::Verdict;
use crate::word;

/// Every way to another tenant that is known to us, by database and by file.
pub(crate) fn read(request: &Request) -> Response {
    let mut verdict = Verdict::default();
    for neighbour in ["name", "id"].into_iter().filter_map(|key| word(request, key)) {
        for text in [
            format!("SELECT * FROM \"{neighbour}\".scratch"),
            format!("SELECT * FROM {neighbour}_scratch"),
            format!("SELECT * FROM {neighbour}__scratch"),
            format!("ATTACH DATABASE '../{neighbour}/site.db' AS n"),
            format!("ATTACH DATABASE 'file:../{neighbour}.db?mode=ro' AS n"),
            format!("VACUUM INTO '../{neighbour}/copy.db'"),
        ] {
            verdict.note(&text, sql::query(&text, &[]));
        }
        for path in [
            format!("../{neighbour}"),
            format!("../{neighbour}/"),
            format!("../{neighbour}/files"),
            format!("../../{neighbour}/files/"),
            format!("../../tenants/{neighbour}"),
            format!("./x/../../{neighbour}"),
            format!("/files/../{neighbour}"),
            format!("/{neighbour}"),
        ] {
            files::open_every_way(&mut verdict, &path);
        }
    }
    verdict.into_response()
}
