//! What a tenant's files and folders are called in the bucket: `TENANT-ID/`, then the path.
//!
//! Bytes that make trouble in keys are written `%XX`: control characters, those that S3's own guide advises against, and a
//! space at either end of a name, which is lost in XML. A name has one such form and is read in that form alone, so what
//! another program put there under a name of its own is not taken for a file. A folder is the object `~` in it, which no
//! file's name comes out as.

use percent_encoding::percent_decode_str;
use std::fmt::Write as _;

/// The object that a folder is.
const FOLDER: &str = "~";

/// What S3 advises against in keys, and the sign of what is written otherwise.
const TROUBLE: &str = "\"#%*<>?[\\]^`{|}~";

/// Bytes of a name on disk.
const MOST_NAME: usize = 255;

/// A name as it is in the bucket, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    File(String),
    Folder(String),
}

/// A file's key below the tenant's prefix. The path is relative, without `.`, `..` and empty names.
pub(super) fn file(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(part).collect();
    parts.join("/")
}

/// A folder's key below the tenant's prefix.
pub(super) fn folder(path: &str) -> String {
    format!("{}/{FOLDER}", file(path))
}

/// Reads a key below the tenant's prefix; none where no file or folder of ours has it.
pub(super) fn read(key: &str) -> Option<Name> {
    if let Some(folder) = key.strip_suffix(FOLDER).and_then(|rest| rest.strip_suffix('/')) {
        return path(folder).map(Name::Folder);
    }
    path(key).map(Name::File)
}

fn path(key: &str) -> Option<String> {
    let parts: Option<Vec<String>> = key.split('/').map(name).collect();
    parts.map(|parts| parts.join("/"))
}

/// One name, where it is written as we write it and may lie in a folder.
fn name(written: &str) -> Option<String> {
    let name = percent_decode_str(written).decode_utf8().ok()?.into_owned();
    let may_lie = !matches!(name.as_str(), "" | "." | "..") && !name.contains('\0');
    (may_lie && name.len() <= MOST_NAME && part(&name) == written).then_some(name)
}

fn part(name: &str) -> String {
    let last = name.chars().count().saturating_sub(1);
    let mut written = String::with_capacity(name.len());
    for (place, letter) in name.chars().enumerate() {
        if is_trouble(letter) || (letter == ' ' && (place == 0 || place == last)) {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string can't fail.
                let _written = write!(written, "%{byte:02X}");
            }
        } else {
            written.push(letter);
        }
    }
    written
}

fn is_trouble(letter: char) -> bool {
    // The last two can't stand in XML.
    letter.is_control() || TROUBLE.contains(letter) || matches!(letter, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        for plain in ["note", "images/My photo (1).jpg", "ä/日本語.txt", "a+b&c=d", "…"] {
            assert_eq!(file(plain), plain);
        }
        assert_eq!(file("100%/~/ a\n"), "100%25/%7E/%20a%0A");
        assert_eq!(folder("a/b"), "a/b/~");
    }

    #[test]
    fn what_is_not_ours_is_not_taken_for_a_file() {
        let foreign = [
            "", "a//b", "a/", "..", "a/../b", "%2E%2E/b", "%2e%2e", "a%2Fb", "%00", "%zz", "100%", "a%20b",
            "~", "a~b", "/a",
        ];
        for key in foreign {
            assert_eq!(read(key), None, "{key:?}");
        }
        assert_eq!(read("a/~"), Some(Name::Folder("a".into())));
        assert_eq!(read(&"x".repeat(256)), None);
    }

    proptest! {
        #[test]
        fn every_name_comes_back(parts in prop::collection::vec("[^/\0]{1,20}", 1..5)) {
            let path = parts.join("/");
            prop_assume!(!parts.iter().any(|part| part == "." || part == ".."));
            let key = file(&path);
            prop_assert!(!key.chars().any(|letter| letter.is_control() || letter == '~'));
            prop_assert_eq!(read(&key), Some(Name::File(path.clone())));
            prop_assert_eq!(read(&folder(&path)), Some(Name::Folder(path)));
        }
    }
}
