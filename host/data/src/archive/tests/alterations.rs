//! Archives that somebody or something changed: refused whole, with the member named, and nothing is left.

use super::*;
use crate::archive::container::ArchiveLimits;
use crate::archive::reader;
use proptest::prelude::*;
use std::sync::LazyLock;
use tar::{Builder, EntryType, Header};

fn read_in(yard: &Yard, bytes: &[u8], limits: &ArchiveLimits) -> Result<StagedArchive, ArchiveError> {
    reader::read(bytes, yard.staging(), limits)
}

fn refused(bytes: &[u8]) -> ArchiveError {
    let yard = Yard::new();
    let result = read_in(&yard, bytes, &ArchiveLimits::default());
    let error = result.err().expect("the archive was accepted");
    assert!(yard.is_empty(), "{error}");
    error
}

fn refused_with(bytes: &[u8], words: &str) {
    let error = refused(bytes);
    let shown = rowhouse_base::Chain(&error).to_string();
    assert!(shown.contains(words), "{shown}");
}

fn sample() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    std::fs::write(dir.path().join("folder/a.txt"), b"some text, some text").unwrap();
    let files = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
    let rows = (0..30).map(|id| vec![Value::Integer(id), text(&format!("row {id}"))]).collect();
    let page = shape("page", &[("id", ColumnKind::Integer), ("body", ColumnKind::Text)]);
    craft(&[(page, rows), (shape("empty", &[("x", ColumnKind::Any)]), vec![])], Some(&files))
}

static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(sample);

/// What an archive holds, to compare with the sample.
fn held(archive: &StagedArchive) -> String {
    let tables: Vec<_> = archive.tables().collect();
    let files: Vec<_> = archive.files.iter().map(|file| (&file.path, file.size)).collect();
    format!("{:?} {tables:?} {files:?}", archive.facts())
}

/// Refused, or one of the few bits of the outer layers that mean nothing: then it holds the same.
fn refused_or_same(bytes: &[u8]) {
    let yard = Yard::new();
    match read_in(&yard, bytes, &ArchiveLimits::default()) {
        Err(_refused) => assert!(yard.is_empty()),
        Ok(archive) => {
            let other = Yard::new();
            let original = read_in(&other, &SAMPLE, &ArchiveLimits::default()).unwrap();
            assert_eq!(held(&archive), held(&original));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flipped_bits(at: prop::sample::Index, bit in 0_u8..8) {
        let mut bytes = SAMPLE.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        refused_or_same(&bytes);
    }

    #[test]
    fn overwritten_bytes(at: prop::sample::Index, noise in prop::collection::vec(any::<u8>(), 1..40)) {
        let mut bytes = SAMPLE.clone();
        let at = at.index(bytes.len());
        for (place, byte) in bytes[at..].iter_mut().zip(noise) {
            *place = byte;
        }
        refused_or_same(&bytes);
    }

    /// The same below the compression, whose own checksum would find it first.
    #[test]
    fn flipped_bits_below_the_compression(at: prop::sample::Index, bit in 0_u8..8) {
        let mut tar = zstd::decode_all(&SAMPLE[..]).unwrap();
        let at = at.index(tar.len());
        tar[at] ^= 1 << bit;
        refused_or_same(&zstd::encode_all(&tar[..], 3).unwrap());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        refused(&bytes);
        refused(&zstd::encode_all(&bytes[..], 3).unwrap());
    }
}

#[test]
fn truncated_anywhere() {
    for len in 0..SAMPLE.len() {
        refused(&SAMPLE[..len]);
    }
    let tar = zstd::decode_all(&SAMPLE[..]).unwrap();
    // The last kilobyte is tar's own end, which may be missing.
    for len in (0..tar.len() - 1024).step_by(64) {
        refused(&zstd::encode_all(&tar[..len], 3).unwrap());
    }
    let mut longer = SAMPLE.clone();
    longer.extend_from_slice(b"more");
    refused(&longer);
}

/// The members of the sample, for making wrong archives of them.
fn members() -> Vec<(String, Vec<u8>)> {
    let tar = zstd::decode_all(&SAMPLE[..]).unwrap();
    let mut archive = tar::Archive::new(&tar[..]);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = vec![];
        io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    entries.collect()
}

fn pack(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    pack_with(members, |_tar| {})
}

/// Packs members as another tool would, and what `more` adds.
fn pack_with(members: &[(String, Vec<u8>)], more: impl FnOnce(&mut Builder<Vec<u8>>)) -> Vec<u8> {
    let mut tar = Builder::new(vec![]);
    let (last, first) = members.split_last().unwrap();
    let add = |tar: &mut Builder<Vec<u8>>, (name, bytes): &(String, Vec<u8>)| {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if name.ends_with('/') {
            header.set_entry_type(EntryType::Directory);
        }
        tar.append_data(&mut header, name, &bytes[..]).unwrap();
    };
    first.iter().for_each(|member| add(&mut tar, member));
    more(&mut tar);
    add(&mut tar, last);
    zstd::encode_all(&tar.into_inner().unwrap()[..], 19).unwrap()
}

/// A member whose header says what the library would not write.
fn raw(tar: &mut Builder<Vec<u8>>, name: &[u8], kind: EntryType, size: u64, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

#[test]
fn other_tools_may_pack_it() {
    let mut all = members();
    all.insert(1, ("tables/".to_owned(), vec![]));
    all.insert(2, ("files/".to_owned(), vec![]));
    let yard = Yard::new();
    let archive = read_in(&yard, &pack(&all), &ArchiveLimits::default()).unwrap();
    assert_eq!(archive.files(), (1, 20));
    drop(archive);
    assert!(yard.is_empty());
}

#[test]
fn members_missing_doubled_changed_or_strange() {
    let all = members();
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "manifest.json",
        "tables/page.ndjson",
        "tables/empty.ndjson",
        "files/folder/",
        "files/folder/a.txt",
        "checksums.json",
    ];
    assert_eq!(names, expected);
    for (index, name) in names.iter().enumerate() {
        let shown = name.trim_end_matches('/');
        let mut less = all.clone();
        less.remove(index);
        refused_with(&pack(&less), if index == 0 { "the manifest comes first" } else { shown });
        let mut twice = all.clone();
        twice.insert(index + 1, all[index].clone());
        refused_with(&pack(&twice), shown);
        if !name.ends_with('/') {
            let mut changed = all.clone();
            changed[index].1.push(b' ');
            let result = read_in(&Yard::new(), &pack(&changed), &ArchiveLimits::default());
            // A space after the checksums changes nothing.
            assert_eq!(result.is_err(), index != 5, "{name}");
        }
    }
    for stranger in ["other.json", "tables/page.3.ndjson", "tables/page.txt", "folder/", "files/b.txt"] {
        let mut more = all.clone();
        more.insert(2, (stranger.to_owned(), vec![]));
        refused_with(&pack(&more), stranger.trim_end_matches('/'));
    }
}

#[test]
fn sums_that_fit_the_bytes_and_not_the_rows() {
    let all = members();
    let edit = |from: &str, to: &str| {
        let mut all = all.clone();
        let sums = String::from_utf8(all[5].1.clone()).unwrap();
        assert!(sums.contains(from), "{sums}");
        all[5].1 = sums.replacen(from, to, 1).into_bytes();
        pack(&all)
    };
    refused_with(&edit("\"rows\":30", "\"rows\":31"), "30 rows");
    refused_with(&edit("\"table\":\"page\"", "\"table\":\"pages\""), "no sum for table page");
    refused_with(&edit("\"size\":20", "\"size\":21"), "files/folder/a.txt");
    refused_with(&edit("\"content\":\"", "\"content\":\"x"), "checksums.json");
}

#[test]
fn names_that_lead_elsewhere() {
    let all = members();
    let names: [&[u8]; 9] = [
        b"../evil",
        b"files/../../evil",
        b"/etc/passwd",
        b"files//x",
        b"files/./x",
        b"files/",
        b"",
        b"files/\xff",
        b"./files/x",
    ];
    for name in names {
        let bytes = pack_with(&all, |tar| raw(tar, name, EntryType::Regular, 1, b"x"));
        refused_with(&bytes, "is refused");
    }
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::GNUSparse,
    ] {
        let bytes = pack_with(&all, |tar| raw(tar, b"files/x", kind, 0, b""));
        refused_with(&bytes, "files/x");
    }
    let long = ["files/", &"x".repeat(256)].concat();
    let bytes = pack_with(&all, |tar| {
        raw(tar, b"././@LongLink", EntryType::GNULongName, long.len() as u64, long.as_bytes());
        raw(tar, b"files/x", EntryType::Regular, 0, b"");
    });
    refused_with(&bytes, "longer than 255");
    let record = b"20 path=../evil.txt\n";
    let bytes = pack_with(&all, |tar| {
        raw(tar, b"pax", EntryType::XHeader, record.len() as u64, record);
        raw(tar, b"files/x", EntryType::Regular, 0, b"");
    });
    refused_with(&bytes, "../evil.txt");
    for clash in ["files/folder/a.txt/b", "files/folder"] {
        let bytes = pack_with(&all, |tar| raw(tar, clash.as_bytes(), EntryType::Regular, 0, b""));
        refused(&bytes);
    }
}

#[test]
fn more_than_this_server_takes() {
    let all = members();
    let limits = |bytes, members| ArchiveLimits { bytes, members };
    let whole: u64 = all.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let packed = pack(&all);
    assert!(read_in(&Yard::new(), &packed, &limits(whole, 6)).is_ok());
    for few in [limits(whole - 1, 6), limits(whole, 5)] {
        let refused = read_in(&Yard::new(), &packed, &few);
        assert!(matches!(refused, Err(ArchiveError::TooLarge { .. })));
    }
    // Declared sizes are believed before any byte is read.
    let bytes = pack_with(&all, |tar| raw(tar, b"files/bomb", EntryType::Regular, 1 << 40, b""));
    assert!(matches!(refused(&bytes), ArchiveError::TooLarge { member, .. } if member == "files/bomb"));
    let bytes = pack_with(&all, |tar| raw(tar, b"x", EntryType::GNULongName, 1 << 40, b""));
    refused_with(&bytes, "too long a name");
    // Zeros for ever after the end.
    let mut tar = zstd::decode_all(&packed[..]).unwrap();
    tar.resize(tar.len() + (2 << 20), 0);
    refused_with(&zstd::encode_all(&tar[..], 3).unwrap(), "something follows");
}

#[test]
fn an_export_that_broke_off_is_no_archive() {
    let to = Memory::default();
    let page = shape("page", &[("id", ColumnKind::Integer)]);
    let mut writer = ArchiveWriter::begin(to.clone(), &manifest(&[page])).unwrap();
    writer.begin_table("page", ["id"].into_iter());
    writer.rows(&[vec![Value::Integer(1)]]).unwrap();
    writer.end_table().unwrap();
    drop(writer);
    refused(&to.bytes());
}

#[test]
fn tables_in_several_parts() {
    let page = shape("page", &[("id", ColumnKind::Integer), ("body", ColumnKind::Text)]);
    let body = "text ".repeat(40_000);
    let rows: Vec<_> = (0..60).map(|id| vec![Value::Integer(id), text(&body)]).collect();
    let bytes = craft(&[(page, rows)], None);
    let yard = Yard::new();
    let archive = read_in(&yard, &bytes, &ArchiveLimits::default()).unwrap();
    assert_eq!(archive.tables[0].parts.len(), 3);
    assert_eq!(archive.tables().next().unwrap().rows, 60);
}
