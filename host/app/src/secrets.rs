//! Secrets in files: readable by their owner alone, and in place whole or not at all.

use anyhow::Context;
use rowhouse_base::{Digest, Secret};
use rowhouse_data::{BucketKey, DataKey};
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The key's file in the data folder, where the configuration names no other.
const KEY_FILE: &str = "data.key";

/// Writes a secret beside its place, then into its place.
pub(crate) fn write(path: &Path, secret: &Secret) -> anyhow::Result<()> {
    let draft = path.with_extension("draft");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", secret.reveal())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// The key of the passwords on data servers. In the data folder it is made at the first start; a file that
/// the configuration names has to be there, for servers that share tenants share it.
pub(crate) fn data_key(dir: &Path, named: Option<&Path>) -> anyhow::Result<DataKey> {
    let own = dir.join(KEY_FILE);
    let key = match read_key(named.unwrap_or(&own), named.is_some())? {
        Some(key) => key,
        None => {
            // 256 random bits, in the form that is read again.
            let made = Digest::of(Secret::token().reveal().as_bytes());
            write(&own, &Secret::from_text(made.to_string()))?;
            made
        }
    };
    Ok(DataKey::from_bytes(*key.as_bytes()))
}

/// Where the key is, read as a start would read it; none where the start would make it.
pub(crate) fn find_key(dir: &Path, named: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let own = dir.join(KEY_FILE);
    let path = named.unwrap_or(&own);
    Ok(read_key(path, named.is_some())?.map(|_key| path.to_owned()))
}

/// Names of what proves to a bucket who asks, in the environment; in a file the same in lower case, as AWS' own tools
/// write it.
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const KEY_SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const KEY_TOKEN: &str = "AWS_SESSION_TOKEN";

/// The key of the bucket of files: from the file that the configuration names, else from the environment.
pub(crate) fn bucket_key(
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<BucketKey> {
    let (told, place) = match file {
        Some(file) => {
            let text = fs::read_to_string(file)
                .with_context(|| format!("read the key of the bucket in {}", file.display()))?;
            (credentials(&text), file.display().to_string())
        }
        None => {
            let told = [KEY_ID, KEY_SECRET, KEY_TOKEN]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), environment(name)?)))
                .collect();
            (told, "the environment".to_owned())
        }
    };
    let value = |name: &str| told.get(name).filter(|value| !value.is_empty()).cloned();
    let needed = |name: &str| {
        value(name).with_context(|| {
            format!("read the key of the bucket: {place} has no {name}; set it there, or name files.credentials-file")
        })
    };
    Ok(BucketKey {
        id: needed(KEY_ID)?,
        secret: Secret::from_text(needed(KEY_SECRET)?),
        token: value(KEY_TOKEN).map(Secret::from_text),
    })
}

/// The settings of the first section of a credentials file, by their names in capitals.
fn credentials(text: &str) -> HashMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let own = lines.skip_while(|line| line.starts_with('[')).take_while(|line| !line.starts_with('['));
    let settings = own.filter_map(|line| line.split_once('='));
    settings.map(|(name, value)| (name.trim().to_ascii_uppercase(), value.trim().to_owned())).collect()
}

fn read_key(path: &Path, has_to_be_there: bool) -> anyhow::Result<Option<Digest>> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse::<Digest>().map(Some).with_context(|| {
            format!("read the key in {}: it has to be 64 hexadecimal digits", path.display())
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !has_to_be_there => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read the key in {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowhouse_base::id::TenantId;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_of_a_bucket_stands_in_a_file_or_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        let text = "\n[default]\n# ours\naws_access_key_id = ID\nAWS_SECRET_ACCESS_KEY=hunter2=\n[other]\n\
                    aws_access_key_id = other\naws_session_token = other\n";
        fs::write(&file, text).unwrap();
        let nothing = |_name: &str| None;
        let key = bucket_key(Some(&file), nothing).unwrap();
        assert_eq!((key.id.as_str(), key.secret.reveal()), ("ID", "hunter2="));
        assert!(key.token.is_none() && !format!("{key:?}").contains("hunter2"));
        let all = |name: &str| Some(format!("the {name}"));
        let key = bucket_key(None, all).unwrap();
        assert_eq!(key.id, "the AWS_ACCESS_KEY_ID");
        assert_eq!(key.token.unwrap().reveal(), "the AWS_SESSION_TOKEN");
        let half = |name: &str| (name == KEY_ID).then(|| "id".to_owned());
        let error = format!("{:#}", bucket_key(None, half).unwrap_err());
        assert!(error.contains("the environment has no AWS_SECRET_ACCESS_KEY"), "{error}");
        let error = format!("{:#}", bucket_key(Some(&dir.path().join("none")), all).unwrap_err());
        assert!(error.contains("none"), "{error}");
    }

    #[test]
    fn a_key_is_made_once_and_a_named_one_has_to_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let password = |key: DataKey, id| key.password(id, 0).reveal().to_owned();
        let id = TenantId::new();
        let first = password(data_key(dir.path(), None).unwrap(), id);
        assert_eq!(password(data_key(dir.path(), None).unwrap(), id), first);
        let own = dir.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
        let named = dir.path().join("shared.key");
        assert!(data_key(dir.path(), Some(&named)).is_err());
        fs::copy(&own, &named).unwrap();
        assert_eq!(password(data_key(dir.path(), Some(&named)).unwrap(), id), first);
        fs::write(&named, "not a key").unwrap();
        let error = format!("{:#}", data_key(dir.path(), Some(&named)).unwrap_err());
        assert!(error.contains("shared.key") && error.contains("64 hexadecimal digits"), "{error}");
    }
}
