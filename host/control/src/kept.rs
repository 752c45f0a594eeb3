//! The last snapshot that was in force, kept on disk: with it a server starts and serves sites while the control
//! database is away.
//!
//! It holds what requests need of tenants and nothing else: no users, no sessions, no tokens, no passwords of
//! databases. A text: a headline with the version and the control database it is of, a tenant a line, and an end
//! with their number and a chained digest. It is read whole or not at all. It is written beside the old one
//! and put in its place, so a crash leaves one of the two; a failure to write is logged and tried again.

use crate::store::ControlUrl;
use crate::words::Words;
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Chain, DataServerName, Digest, Limits, TenantName};
use rowhouse_tenant::{
    AddressPattern, Directory, OutboundRule, ReleaseName, ReleaseRef, Reuse, Snapshot, Tenant, TenantState,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Moves with every change of the lines.
const VERSION: u32 = 1;
/// A line of a tenant: 64 KiB of settings and its addresses fit many times over.
const LINE: u64 = 4 << 20;
/// Changes that come together are written together: a million tenants are 500 MB.
pub(crate) const REST: Duration = Duration::from_secs(5);

/// What went wrong with the kept snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeptError {
    /// The disk.
    #[error("reach the kept snapshot")]
    Io(#[from] io::Error),
    /// A line is no JSON of ours.
    #[error("read a line of the kept snapshot")]
    Line(#[from] serde_json::Error),
    /// It is not whole, or not as it was written.
    #[error("the kept snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// Another version wrote it, or it is of another control database.
    #[error("the kept snapshot is of another version or another control database")]
    Foreign,
}

#[derive(Debug, Serialize, Deserialize)]
struct Headline {
    rowhouse_snapshot: u32,
    database: String,
    generation: u64,
    /// The tenant that the base host leads to, on a server of a single site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    single: Option<TenantId>,
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    tenants: u64,
    digest: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    id: TenantId,
    name: TenantName,
    title: String,
    state: TenantState,
    addresses: Vec<AddressPattern>,
    url_prefix: bool,
    settings: BTreeMap<String, String>,
    outbound: Vec<OutboundRule>,
    locale: String,
    time_zone: String,
    release: Option<KeptRelease>,
    data_server: DataServerName,
    revision: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptRelease {
    name: ReleaseName,
    digest: Digest,
    reuse: Option<(NonZeroU32, u64)>,
}

/// A snapshot as it was kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) generation: u64,
    /// The tenant that the base host led to, on a server of a single site.
    pub(crate) single: Option<TenantId>,
    pub(crate) tenants: Vec<Arc<Tenant>>,
}

/// Keeps the snapshot of this server.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// None where nothing is kept.
    file: Option<PathBuf>,
    /// Which control database it is of, without a password.
    database: String,
    directory: Arc<Directory>,
    news: Notify,
    /// One writes at a time.
    turn: tokio::sync::Mutex<()>,
    /// The snapshot on disk. Not its generation: that stays while a tenant is late, and others change.
    written: Mutex<Weak<Snapshot>>,
}

impl Keeper {
    pub(crate) fn new(file: Option<PathBuf>, database: &ControlUrl, directory: Arc<Directory>) -> Self {
        let database = database.to_string();
        let (news, turn, written) = (Notify::new(), tokio::sync::Mutex::default(), Mutex::default());
        Self { file, database, directory, news, turn, written }
    }

    /// Another snapshot is in force.
    pub(crate) fn changed(&self) {
        self.news.notify_one();
    }

    /// Waits for another snapshot. Cancel-safe.
    pub(crate) async fn to_keep(&self) {
        self.news.notified().await;
    }

    /// Writes the snapshot that is in force, where it is not on disk already.
    pub(crate) async fn keep(&self) {
        let Some(file) = self.file.clone() else { return };
        let _turn = self.turn.lock().await;
        let snapshot = self.directory.snapshot();
        let this = Arc::downgrade(&snapshot);
        if self.written.lock().ptr_eq(&this) {
            return;
        }
        let database = self.database.clone();
        let work = move || write(&file, &database, &snapshot);
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => *self.written.lock() = this,
            Ok(Err(error)) => tracing::warn!(error = %Chain(&error), "keep the snapshot on disk"),
            Err(error) => tracing::error!(%error, "keep the snapshot on disk"),
        }
    }

    /// The snapshot on disk, where there is a sound one of this control database.
    pub(crate) async fn load(&self, limits: &Arc<Limits>) -> Option<Kept> {
        let file = self.file.clone()?;
        let (database, limits) = (self.database.clone(), Arc::clone(limits));
        match tokio::task::spawn_blocking(move || read(&file, &database, &limits)).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                tracing::error!(error = %Chain(&error), "read the snapshot on disk");
                None
            }
            Err(error) => {
                tracing::error!(%error, "read the snapshot on disk");
                None
            }
        }
    }
}

/// The digest of everything up to and with this line.
fn chained(before: Digest, line: &[u8]) -> Digest {
    let mut all = before.as_bytes().to_vec();
    all.extend_from_slice(line);
    Digest::of(&all)
}

fn write(file: &Path, database: &str, snapshot: &Snapshot) -> Result<(), KeptError> {
    let beside = file.with_extension("new");
    let mut out = BufWriter::with_capacity(
        1 << 20,
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?,
    );
    let headline = Headline {
        rowhouse_snapshot: VERSION,
        database: database.to_owned(),
        generation: snapshot.generation(),
        single: snapshot.single().map(|tenant| tenant.id),
    };
    let mut digest = Digest::of(b"");
    let mut put = |out: &mut BufWriter<File>, line: Vec<u8>| {
        digest = chained(digest, &line);
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        Ok::<Digest, io::Error>(digest)
    };
    let mut digest = put(&mut out, serde_json::to_vec(&headline)?)?;
    for tenant in snapshot.tenants() {
        digest = put(&mut out, serde_json::to_vec(&line(tenant))?)?;
    }
    let tenants = u64::try_from(snapshot.len()).unwrap_or(u64::MAX);
    out.write_all(&serde_json::to_vec(&End { tenants, digest })?)?;
    out.write_all(b"\n")?;
    let done = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    done.sync_all()?;
    fs::rename(&beside, file)?;
    Ok(())
}

fn read(file: &Path, database: &str, limits: &Arc<Limits>) -> Result<Option<Kept>, KeptError> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut input = BufReader::with_capacity(1 << 20, opened);
    let first = next(&mut input)?.ok_or(KeptError::Damaged("it is empty"))?;
    let headline: Headline = serde_json::from_slice(&first)?;
    if headline.rowhouse_snapshot != VERSION || headline.database != database {
        return Err(KeptError::Foreign);
    }
    let mut digest = chained(Digest::of(b""), &first);
    let (mut tenants, mut shared) = (Vec::new(), Shared::default());
    let mut line = next(&mut input)?.ok_or(KeptError::Damaged("it has no end"))?;
    while let Some(after) = next(&mut input)? {
        digest = chained(digest, &line);
        tenants.push(Arc::new(tenant(serde_json::from_slice(&line)?, limits, &mut shared)));
        line = after;
    }
    let end: End = serde_json::from_slice(&line)?;
    if end.digest != digest || usize::try_from(end.tenants) != Ok(tenants.len()) {
        return Err(KeptError::Damaged("its end does not fit"));
    }
    Ok(Some(Kept { generation: headline.generation, single: headline.single, tenants }))
}

/// The next line, without its end; none where there is no more.
fn next(input: &mut BufReader<File>) -> Result<Option<Vec<u8>>, KeptError> {
    let mut line = Vec::new();
    if input.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    match line.pop() {
        Some(b'\n') => Ok(Some(line)),
        _ => Err(KeptError::Damaged("a line has no end")),
    }
}

fn line(tenant: &Tenant) -> Line {
    let release = |release: &Arc<ReleaseRef>| KeptRelease {
        name: release.name.clone(),
        digest: release.digest,
        reuse: release
            .reuse
            .map(|reuse| (reuse.requests, u64::try_from(reuse.idle.as_millis()).unwrap_or(u64::MAX))),
    };
    Line {
        id: tenant.id,
        name: tenant.name.clone(),
        title: tenant.title.clone(),
        state: tenant.state,
        addresses: tenant.addresses.clone(),
        url_prefix: tenant.url_prefix,
        settings: tenant.settings.clone(),
        outbound: tenant.outbound.clone(),
        locale: tenant.locale.to_string(),
        time_zone: tenant.time_zone.to_string(),
        release: tenant.release.as_ref().map(release),
        data_server: tenant.data_server.clone(),
        revision: tenant.revision,
    }
}

/// What many tenants have in common, kept once.
#[derive(Default)]
struct Shared {
    words: Words,
    releases: HashMap<ReleaseName, Arc<ReleaseRef>>,
}

impl Shared {
    fn release(&mut self, kept: KeptRelease) -> Arc<ReleaseRef> {
        let reuse = kept.reuse.map(|(requests, idle)| Reuse { requests, idle: Duration::from_millis(idle) });
        let made = || Arc::new(ReleaseRef { name: kept.name.clone(), digest: kept.digest, reuse });
        Arc::clone(self.releases.entry(kept.name.clone()).or_insert_with(made))
    }
}

fn tenant(line: Line, limits: &Arc<Limits>, shared: &mut Shared) -> Tenant {
    Tenant {
        id: line.id,
        name: line.name,
        title: line.title,
        state: line.state,
        addresses: line.addresses,
        url_prefix: line.url_prefix,
        settings: line.settings,
        outbound: line.outbound,
        locale: shared.words.word(&line.locale),
        time_zone: shared.words.word(&line.time_zone),
        release: line.release.map(|kept| shared.release(kept)),
        data_server: line.data_server,
        revision: line.revision,
        limits: Arc::clone(limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowhouse_base::Hostname;
    use rowhouse_tenant::BaseAddress;
    use std::os::unix::fs::PermissionsExt as _;

    fn snapshot() -> Snapshot {
        let base = BaseAddress { domain: Hostname::parse("localhost").unwrap(), aliases: vec![] };
        let limits = Arc::new(Limits::default());
        let reuse = Reuse { requests: NonZeroU32::new(9).unwrap(), idle: Duration::from_millis(1500) };
        let tenants = ["one", "two"].map(|name| {
            Arc::new(Tenant {
                id: TenantId::new(),
                name: TenantName::parse(name).unwrap(),
                title: "Title\nof two lines".to_owned(),
                state: TenantState::Active,
                addresses: vec![format!("*.{name}.example").parse().unwrap()],
                url_prefix: true,
                settings: [("colour".to_owned(), "\"red\"".to_owned())].into(),
                outbound: vec!["api.example:8443".parse().unwrap()],
                locale: "en".into(),
                time_zone: "UTC".into(),
                release: Some(Arc::new(ReleaseRef {
                    name: "site@1.0.0".parse().unwrap(),
                    digest: Digest::of(b"site"),
                    reuse: Some(reuse),
                })),
                data_server: DataServerName::local(),
                revision: 7,
                limits: Arc::clone(&limits),
            })
        });
        let one = TenantName::parse("one").unwrap();
        Snapshot::empty(base).with_changes(42, tenants, []).leading_to(one)
    }

    #[test]
    fn a_snapshot_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kept.snapshot");
        let limits = Arc::new(Limits::default());
        assert!(read(&file, "db", &limits).unwrap().is_none());
        let before = snapshot();
        write(&file, "db", &before).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = read(&file, "db", &limits).unwrap().unwrap();
        assert_eq!((kept.generation, kept.tenants.len()), (42, 2));
        assert_eq!(kept.single, before.single().map(|tenant| tenant.id));
        for tenant in kept.tenants {
            assert_eq!(before.by_id(tenant.id), Some(&tenant));
        }
        assert!(matches!(read(&file, "other", &limits), Err(KeptError::Foreign)));
    }

    #[test]
    fn any_alteration_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kept.snapshot");
        let limits = Arc::new(Limits::default());
        write(&file, "db", &snapshot()).unwrap();
        let whole = fs::read(&file).unwrap();
        for cut in (0..whole.len()).step_by(7) {
            fs::write(&file, &whole[..cut]).unwrap();
            assert!(read(&file, "db", &limits).is_err(), "cut at {cut}");
        }
        for place in (0..whole.len()).step_by(5) {
            let mut altered = whole.clone();
            altered[place] ^= 1;
            fs::write(&file, &altered).unwrap();
            assert!(read(&file, "db", &limits).is_err(), "altered at {place}");
        }
        // A line that is gone, with the end as it was.
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        fs::write(&file, [lines[0], lines[1], lines[3]].concat()).unwrap();
        assert!(read(&file, "db", &limits).is_err());
    }
}
