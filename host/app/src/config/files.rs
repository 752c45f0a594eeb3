//! Where the files of sites are: in the data folder, or in a bucket of an S3-compatible store.
//!
//! The key to the bucket is no setting: it stands in the environment or in a file of its own, and is read at the start.

use super::reader::{self, Reader};
use rowhouse_data::{BucketKey, BucketSettings};
use std::path::PathBuf;
use toml::Value;

/// What an operator can decide about sites' files.
#[derive(Clone, Debug)]
pub struct FilesConfig {
    /// The bucket; none where files are in the data folder.
    pub bucket: Option<String>,
    /// What the keys of all objects begin with.
    pub prefix: String,
    /// Where the store is, where it isn't AWS.
    pub endpoint: Option<String>,
    /// The store's region.
    pub region: String,
    /// Whether the store may be asked without TLS.
    pub allow_http: bool,
    /// Certificates of authorities that are trusted beside the usual ones.
    pub authorities: Option<PathBuf>,
    /// Holds the key, where the environment doesn't.
    pub credentials_file: Option<PathBuf>,
    /// Bytes of files that this server keeps of the bucket.
    pub mirror_bytes: u64,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            bucket: None,
            prefix: "rowhouse".into(),
            endpoint: None,
            region: "us-east-1".into(),
            allow_http: false,
            authorities: None,
            credentials_file: None,
            // Ten sites at the limit of their files, or what a thousand usual ones have.
            mirror_bytes: 10 << 30,
        }
    }
}

impl FilesConfig {
    pub(super) fn take(&mut self, reader: &mut Reader) {
        let is_lacking = reader.lacks("files", "bucket");
        let path = |value: &Value| reader::text(value).map(|path| Some(PathBuf::from(path)));
        reader.take("files", "bucket", &mut self.bucket, bucket);
        reader.take("files", "prefix", &mut self.prefix, prefix);
        reader.take("files", "endpoint", &mut self.endpoint, endpoint);
        reader.take("files", "region", &mut self.region, region);
        reader.take("files", "allow-http", &mut self.allow_http, reader::boolean);
        reader.take("files", "ca-file", &mut self.authorities, path);
        reader.take("files", "credentials-file", &mut self.credentials_file, path);
        reader.take("files", "mirror-bytes", &mut self.mirror_bytes, reader::count);
        reader.check(!is_lacking, "files.bucket", || {
            "the name of the bucket that the other settings of [files] are about".to_owned()
        });
        let is_plain = self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        reader.check(self.allow_http || !is_plain, "files.endpoint", || {
            "https://, or allow-http = true in a network where nobody listens".to_owned()
        });
    }

    /// The bucket as the data room takes it; none where files are in the data folder.
    pub(crate) fn settings(
        &self,
        key: impl FnOnce() -> anyhow::Result<BucketKey>,
    ) -> anyhow::Result<Option<BucketSettings>> {
        let Some(name) = self.bucket.clone() else { return Ok(None) };
        Ok(Some(BucketSettings {
            name,
            prefix: self.prefix.clone(),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            allow_http: self.allow_http,
            authorities: self.authorities.clone(),
            key: key()?,
            mirror_bytes: self.mirror_bytes,
        }))
    }
}

fn bucket(value: &Value) -> Result<Option<String>, String> {
    let text = reader::text(value)?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if (3..=63).contains(&text.len()) && text.bytes().all(fits) {
        Ok(Some(text))
    } else {
        Err("the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens".to_owned())
    }
}

/// Letters that no store and no library writes in another way.
fn prefix(value: &Value) -> Result<String, String> {
    let text = reader::text(value)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(fits);
    if text.is_empty() || (text.len() <= 256 && text.split('/').all(is_name)) {
        Ok(text)
    } else {
        Err("names of letters, digits, dots, hyphens and underscores with slashes between them".to_owned())
    }
}

fn endpoint(value: &Value) -> Result<Option<String>, String> {
    let right = || "the address of the store, such as \"https://s3.example.org\", without a path".to_owned();
    let text = reader::text(value)?;
    let (scheme, place) = text.split_once("://").ok_or_else(right)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    if matches!(scheme, "http" | "https") && !place.is_empty() && place.bytes().all(fits) {
        Ok(Some(text))
    } else {
        Err(right())
    }
}

fn region(value: &Value) -> Result<String, String> {
    let text = reader::text(value)?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text)
    } else {
        Err("the store's region, such as \"eu-central-1\"".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_bucket_arrives_with_its_settings() {
        let files = Config::parse("", "x").unwrap().files;
        assert!(files.bucket.is_none());
        assert!(files.settings(|| panic!("no key is needed")).unwrap().is_none());
        let text = r#"
            [files]
            bucket = "our-sites"
            prefix = "farm-1/files"
            endpoint = "http://127.0.0.1:9000"
            allow-http = true
            region = "eu-central-1"
            ca-file = "/etc/ca.pem"
            credentials-file = "/etc/key"
            mirror-bytes = 1000
        "#;
        let files = Config::parse(text, "x").unwrap().files;
        assert_eq!((files.bucket.as_deref(), files.prefix.as_str()), (Some("our-sites"), "farm-1/files"));
        assert_eq!(files.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!((files.region.as_str(), files.mirror_bytes), ("eu-central-1", 1000));
        assert!(files.authorities.is_some() && files.credentials_file.is_some());
    }

    #[test]
    fn every_problem_is_listed() {
        let text = r#"
            [files]
            bucket = "Our Sites"
            prefix = "/../x"
            endpoint = "s3.example.org/path"
            region = ""
            allow-http = 1
            mirror-bytes = 0
            secret = "x"
        "#;
        let problems = Config::parse(text, "x").unwrap_err().to_string();
        for expected in [
            "files.bucket: the name of a bucket",
            "files.prefix: names of letters",
            "files.endpoint: the address of the store",
            "files.region: the store's region",
            "files.allow-http: true or false",
            "files.mirror-bytes: a whole number of at least 1",
            "files.secret: there is no such setting",
        ] {
            assert!(problems.contains(expected), "{expected} is missing in:\n{problems}");
        }
        let problems = Config::parse("[files]\nendpoint = \"http://s3.example.org\"\n", "x").unwrap_err();
        let problems = problems.to_string();
        assert!(problems.contains("files.bucket: the name of the bucket that"), "{problems}");
        assert!(problems.contains("files.endpoint: https://, or allow-http"), "{problems}");
        for endpoint in ["https://user:secret@s3.example", "https://s3.example/x", "ftp://s3.example"] {
            let text = format!("[files]\nbucket = \"sites\"\nendpoint = \"{endpoint}\"\n");
            assert!(Config::parse(&text, "x").is_err(), "{endpoint}");
        }
    }
}
