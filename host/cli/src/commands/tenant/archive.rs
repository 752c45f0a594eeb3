//! Archives of single sites: export, import, restore. Bytes go from one end to the other as they come.

use super::change::shown;
use super::{ExportArgs, ImportArgs, RestoreArgs};
use crate::api::{ARCHIVE, Api, Target};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::screen::Screen;
use crate::views;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use ureq::http::Method;

/// Bytes read at a time.
const PART: usize = 64 << 10;

/// A written archive.
pub(super) struct Written {
    pub path: PathBuf,
    pub bytes: u64,
}

/// Writes a site's archive.
pub(super) fn export(args: &ExportArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if args.to.as_deref() == Some(Path::new("-")) {
        let mut archive = api.archive(&Target::new(&["tenants", &args.name, "archive"]))?;
        let mut part = vec![0; PART];
        loop {
            let count = archive.next(&mut part)?;
            if count == 0 {
                return Ok(screen.out.flush()?);
            }
            screen.out.write_all(part.get(..count).unwrap_or_default())?;
        }
    }
    let place = args.to.clone().map_or(Place::In(PathBuf::from(".")), Place::File);
    let written = save(&args.name, &place, api, screen)?;
    let size = views::bytes(written.bytes);
    let said = json!({ "name": args.name, "file": written.path, "bytes": written.bytes });
    screen.done(&said, &format!("{} has the archive of {} ({size})", written.path.display(), args.name))
}

/// Where an archive is to be written.
pub(super) enum Place {
    /// To this file.
    File(PathBuf),
    /// Into this folder, under the server's name for it.
    In(PathBuf),
}

/// Writes a site's archive into a file, whole or not at all: beside its place first, then in its place.
pub(super) fn save(
    name: &str,
    place: &Place,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<Written, Failure> {
    let progress = Progress::download(screen, &format!("exporting {name}"))?;
    let mut archive = api.archive(&Target::new(&["tenants", name, "archive"]))?;
    let path = match place {
        Place::File(path) => path.clone(),
        // The server's name becomes a path of this machine: nothing but the one form may.
        Place::In(folder) if stem(&archive.file).is_some() => folder.join(&archive.file),
        Place::In(_) => return Err(api.foreign("an archive without a proper name")),
    };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Failure::File { action: "write the archive", path, source }
    };
    let draft = beside(&path);
    let mut guard = Draft { path: &draft, kept: false };
    let mut file = create(&draft).map_err(failed(&draft))?;
    let mut part = vec![0; PART];
    let mut bytes: u64 = 0;
    loop {
        let count = archive.next(&mut part)?;
        if count == 0 {
            break;
        }
        file.write_all(part.get(..count).unwrap_or_default()).map_err(failed(&draft))?;
        bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        progress.set(bytes);
    }
    file.sync_all().map_err(failed(&draft))?;
    fs::rename(&draft, &path).map_err(failed(&path))?;
    guard.kept = true;
    // The name is as durable as the bytes only once its folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))?;
    Ok(Written { path, bytes })
}

/// A file on its way, removed where it does not arrive.
struct Draft<'a> {
    path: &'a Path,
    kept: bool,
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // What can't be removed now is found by its name, which is no archive's.
            drop(fs::remove_file(self.path));
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

/// A new file for its owner alone: an archive holds what visitors entrusted to the site.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The site's name and the time in the name of an archive, `NAME-YYYYMMDDTHHMMSSZ.tar.zst`.
pub(super) fn stem(file: &str) -> Option<(&str, &str)> {
    let (name, time) = file.strip_suffix(".tar.zst")?.rsplit_once('-')?;
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let (day, clock) = time.strip_suffix('Z')?.split_once('T')?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (is_name && digits(day, 8) && digits(clock, 6)).then_some((name, time))
}

/// Makes a site from an archive.
pub(super) fn import(args: &ImportArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let target = Target::new(&["tenants", "import"])
        .with("name", args.name.as_deref())
        .with("data_server", args.server.as_deref())
        .with("addresses", args.no_addresses.then_some("false"))
        .with("resume", args.resume.then_some("true"));
    let answer = send(Method::POST, &target, &args.file, api, screen)?;
    shown(&answer, screen)
}

/// Puts an archive in place of a suspended site's content, once its name was typed.
pub(super) fn restore(
    name: &str,
    args: &RestoreArgs,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let file = args.from.display();
    let consequence = format!("This replaces all content of the site `{name}` by what {file} holds.");
    confirm(screen, args.confirmed.given(name), name, &consequence)?;
    let target = Target::new(&["tenants", name, "archive"]);
    let answer = send(Method::PUT, &target, &args.from, api, screen)?;
    screen.done(&answer, &format!("{name} has the archive's content, and is suspended until it is resumed"))
}

/// Sends an archive.
pub(super) fn send(
    method: Method,
    target: &Target,
    path: &Path,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<Value, Failure> {
    let failed = |source| Failure::File { action: "read the archive", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let what = format!("sending {} ({})", path.display(), views::bytes(length));
    let progress = Progress::upload(screen, &what, length)?;
    let answer = api.upload(method, target, ARCHIVE, progress.reading(BufReader::new(file)), length);
    drop(progress);
    Ok(answer?.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_form_of_name_becomes_a_path() {
        assert_eq!(stem("a-b-20260301T093000Z.tar.zst"), Some(("a-b", "20260301T093000Z")));
        for file in [
            "",
            "a.tar.zst",
            "../a-20260301T093000Z.tar.zst",
            "a-2026T093000Z.tar.zst",
            "-20260301T093000Z.zst",
        ] {
            assert_eq!(stem(file), None, "{file}");
        }
    }
}
