//! PostgreSQL servers of a test's own, which end with it.
//!
//! Here is the one that takes nothing but TLS over the network. Its certificate is made for `localhost` by an
//! authority that is made with it. Where a program is missing, the error names the package that has it.

mod place;
mod plain;

pub use plain::PlainPostgres;

use anyhow::{Context, Result};
use place::{Place, end_at_once, finish};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Who may come in: the superuser through the socket, others with a password and TLS.
const RULES: &str = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

/// A statement for a PostgreSQL server: drops the groups through which roles came into a shared database that is gone.
#[must_use]
pub fn drop_groups(database: &str) -> String {
    format!(
        "DO $$ BEGIN EXECUTE format('DROP ROLE IF EXISTS rh%1$s_guests, rh%1$s_owners', \
         left(encode(sha256('{database}'), 'hex'), 12)); END $$"
    )
}

/// A statement for a PostgreSQL server: drops the roles that came into a shared database that is gone, each for itself, so
/// that thousands of them need no more locks than one.
#[must_use]
pub fn drop_members(database: &str) -> String {
    format!(
        "DO $$ DECLARE member text; BEGIN \
         FOR member IN SELECT quote_ident(roles.rolname) FROM pg_auth_members, pg_roles AS groups, pg_roles AS roles \
         WHERE groups.oid = roleid AND roles.oid = pg_auth_members.member \
         AND groups.rolname LIKE format('rh%s\\_%%', left(encode(sha256('{database}'), 'hex'), 12)) \
         LOOP EXECUTE 'DROP ROLE IF EXISTS ' || member; COMMIT; END LOOP; END $$"
    )
}

/// A running server. Ended when dropped.
pub struct TlsPostgres {
    child: Child,
    place: Place,
    port: u16,
}

impl TlsPostgres {
    /// Makes a server with an empty cluster and starts it.
    ///
    /// # Errors
    /// Where a program is missing or it doesn't start.
    pub fn start() -> Result<Self> {
        let place = Place::make()?;
        certificates(place.folder())?;
        let key = place.folder().join("server.key");
        std::fs::set_permissions(&key, Permissions::from_mode(0o600))?;
        place.give(&key)?;
        std::fs::write(place.data().join("pg_hba.conf"), RULES)?;
        let file = |name: &str| place.folder().join(name).display().to_string();
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("server.crt")),
            format!("ssl_key_file={}", file("server.key")),
        ];
        let (child, port) = place.start(&settings)?;
        Ok(Self { child, place, port })
    }

    /// Runs statements as the superuser. Returns the rows, a line each.
    ///
    /// # Errors
    /// Where one fails.
    pub fn ask(&self, statements: &str) -> Result<String> {
        self.place.ask(self.port, statements)
    }

    /// A URL for this role. `host` is `localhost`, or a name that the certificate doesn't have; `options` follow
    /// the `?`.
    #[must_use]
    pub fn url(&self, role: &str, password: &str, host: &str, database: &str, options: &str) -> String {
        format!("postgres://{role}:{password}@{host}:{}/{database}?{options}", self.port)
    }

    /// The certificate of the authority that vouches for it.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.place.folder().join("ca.crt")
    }
}

impl Drop for TlsPostgres {
    fn drop(&mut self) {
        end_at_once(&mut self.child);
    }
}

/// An authority, and a certificate for `localhost` that it vouches for. Libraries refuse one that vouches for itself.
fn certificates(folder: &Path) -> Result<()> {
    let names = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";
    std::fs::write(folder.join("names"), names)?;
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let authority = ["-x509", "-days", "2", "-subj", "/CN=test", "-keyout", "ca.key", "-out", "ca.crt"];
    let request = ["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"];
    let signed = [
        "-in",
        "server.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
    ];
    for arguments in [
        [&["req"][..], &key, &authority].concat(),
        [&["req"][..], &key, &request].concat(),
        [&["x509", "-req"][..], &signed, &["names", "-out", "server.crt"]].concat(),
    ] {
        finish(Command::new("openssl").args(arguments).current_dir(folder))
            .context("make a certificate: the package openssl is needed")?;
    }
    Ok(())
}
