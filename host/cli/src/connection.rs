//! Where the server is and which token speaks for the caller.
//!
//! A token that was read from a data folder belongs to the server on this machine. It is sent to
//! another host only where the folder was named on purpose.

use crate::failure::Failure;
use rowhouse_base::secret::Secret;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use ureq::http::Uri;

/// The data folder where none is named.
const DEFAULT_DATA: &str = "rowhouse-data";
/// The file in the data folder that holds a token of the machine's operator.
const TOKEN_FILE: &str = "operator.token";

/// Options that every client command takes.
#[derive(Clone, Debug, clap::Args)]
pub struct ConnectionArgs {
    /// Base address of the server
    #[arg(
        long,
        global = true,
        env = "ROWHOUSE_URL",
        value_name = "URL",
        default_value = "http://localhost:8080",
        help_heading = "Connection"
    )]
    pub url: ServerUrl,

    /// API token
    ///
    /// Without one, the file operator.token in the data folder is read, where the server is on this
    /// machine or the folder is named with --data.
    #[arg(
        long,
        global = true,
        env = "ROWHOUSE_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        value_parser = read_token,
        help_heading = "Connection"
    )]
    pub token: Option<Secret>,

    /// Data folder of a server on this machine [default: ./rowhouse-data]
    #[arg(long, global = true, env = "ROWHOUSE_DATA", value_name = "FOLDER", help_heading = "Connection")]
    pub data: Option<PathBuf>,

    /// After a change, wait until every server has it, at most so long
    ///
    /// The change is done either way. Servers that are behind then are named on standard error.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u8).range(..=50),
        help_heading = "Connection"
    )]
    pub wait: Option<u8>,

    /// Print the API's JSON instead of tables
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
}

/// Accepts every text: a refusal here would print the token. The request refuses it instead.
fn read_token(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::from_text(text.trim()))
}

impl ConnectionArgs {
    /// The data folder, named or default.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA))
    }

    /// The token to send, if any, and where it came from.
    pub(crate) fn credential(&self) -> Result<(Option<Secret>, TokenSource), Failure> {
        if let Some(token) = self.token.as_ref().filter(|token| !token.reveal().is_empty()) {
            return Ok((Some(token.clone()), TokenSource::Given));
        }
        let path = self.data_dir().join(TOKEN_FILE);
        if self.data.is_none() && !self.url.is_loopback() {
            return Ok((None, TokenSource::NotForRemote));
        }
        match read_token_file(&path) {
            Ok(Some(token)) => Ok((Some(token), TokenSource::File(path))),
            Ok(None) => Ok((None, TokenSource::NoFile(path))),
            Err(source) => Err(Failure::File { action: "read the token file", path, source }),
        }
    }
}

fn read_token_file(path: &Path) -> io::Result<Option<Secret>> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(Secret::from_text(text.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the token came from, or why there is none.
#[derive(Clone, Debug)]
pub(crate) enum TokenSource {
    /// From --token or ROWHOUSE_TOKEN.
    Given,
    /// From this file.
    File(PathBuf),
    /// No token, and this file is missing or empty.
    NoFile(PathBuf),
    /// No token was given, and none of this machine's is sent to another host.
    NotForRemote,
}

impl TokenSource {
    /// What to do where the server doesn't accept this credential.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Given => {
                "the token from --token or ROWHOUSE_TOKEN is unknown, revoked or expired there".to_owned()
            }
            Self::File(path) => format!(
                "the token from {} is unknown to this server: name the server's own data folder with --data, or a \
                 token with --token or ROWHOUSE_TOKEN",
                path.display()
            ),
            Self::NoFile(path) => format!(
                "no token was sent: {} isn't there; name the server's data folder with --data, or a token with \
                 --token or ROWHOUSE_TOKEN",
                path.display()
            ),
            Self::NotForRemote => "no token was sent: name one with --token or ROWHOUSE_TOKEN".to_owned(),
        }
    }
}

/// The base address of a server: http or https, a host, no query, no credentials, no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    host: String,
    encrypted: bool,
}

/// The text is not the base address of a server.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a server's address, such as http://localhost:8080 or https://sites.example")]
pub struct InvalidUrl(String);

impl ServerUrl {
    /// The address without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True where the address leads to this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost")
            || bare.to_ascii_lowercase().ends_with(".localhost")
            || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }

    /// True where a token would cross a network in the clear.
    pub(crate) fn is_exposed(&self) -> bool {
        !self.encrypted && !self.is_loopback()
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        // The text is shown without what may be a password in front of the host.
        let invalid = || InvalidUrl(text.rsplit('@').next().unwrap_or_default().to_owned());
        let uri: Uri = text.parse().map_err(|_uri| invalid())?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().ok_or_else(invalid)?;
        let fits = matches!(scheme, "http" | "https")
            && !authority.as_str().contains('@')
            && !authority.host().is_empty()
            && uri.query().is_none();
        if !fits {
            return Err(invalid());
        }
        Ok(Self {
            text: text.trim_end_matches('/').to_owned(),
            host: authority.host().to_owned(),
            encrypted: scheme == "https",
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
