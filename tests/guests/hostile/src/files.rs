//! Attacks through `/files`: paths that lead out of the tenant's folder, and filling it.
//!
//! It calls wasi:filesystem itself, because a C library would tidy the paths before the host sees
//! them. Making a link that points outside may be allowed; following one may not.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use crate::exports::rowhouse::site::handler::{Request, Response};
use crate::verdict::Verdict;
use crate::{number, text};

/// Paths that name something outside whatever the folder is.
const OUTSIDE: [&str; 20] = [
    "..",
    "../",
    "../.",
    "../..",
    "../../../../../../etc/passwd",
    "./..",
    ".//..//",
    "inner/../..",
    "inner/../../",
    "inner/./.././../",
    "missing/../..",
    "/",
    "//",
    "/etc/passwd",
    "//etc/passwd",
    "/files/../..",
    "/proc/self/environ",
    "/proc/self/root/",
    "..\u{0}",
    "inner/..\u{0}/..",
];

/// Targets of links that lead outside, from the folder or from a folder in it.
const TARGETS: [&str; 9] =
    ["..", "../", "../..", "/", "/etc", "/etc/passwd", "inner/../..", "./../", "/proc/self/root"];

/// Tries every path of this file, through every preopened folder.
pub(crate) fn escape() -> Response {
    let mut verdict = Verdict::default();
    for path in OUTSIDE {
        open_every_way(&mut verdict, path);
    }
    for (folder, name) in &get_directories() {
        // Both may be there from a run before.
        let _ = folder.create_directory_at("inner");
        let _ = folder.create_directory_at("inner/deep");
        change_every_way(&mut verdict, folder, name);
        follow_links(&mut verdict, folder, name);
        follow_moved_link(&mut verdict, folder, name);
    }
    verdict.into_response()
}

/// Opens `path` below every preopened folder with every set of flags that makes a difference.
pub(crate) fn open_every_way(verdict: &mut Verdict, path: &str) {
    for (folder, name) in &get_directories() {
        open(verdict, folder, &format!("open {name} {path:?}"), path);
    }
}

fn open(verdict: &mut Verdict, folder: &Descriptor, attempt: &str, path: &str) {
    for follow in [PathFlags::empty(), PathFlags::SYMLINK_FOLLOW] {
        for (how, create, rights) in [
            ("as a folder", OpenFlags::DIRECTORY, DescriptorFlags::READ),
            ("to read", OpenFlags::empty(), DescriptorFlags::READ),
            ("to change", OpenFlags::empty(), DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY),
            ("to create", OpenFlags::CREATE, DescriptorFlags::WRITE),
        ] {
            let follows = if follow.is_empty() { "" } else { ", following links" };
            let result = folder.open_at(follow, path, create, rights);
            verdict.note(&format!("{attempt} {how}{follows}"), result);
        }
        verdict.note(&format!("{attempt} stat"), folder.stat_at(follow, path));
    }
}

/// Creates, removes, links and renames across the border.
fn change_every_way(verdict: &mut Verdict, folder: &Descriptor, name: &str) {
    for outside in ["../escaped", "/tmp/escaped", "inner/../../escaped", "../escaped/"] {
        let mut note = |what: &str, result: Result<(), ErrorCode>| {
            verdict.note(&format!("{what} {name} {outside:?}"), result);
        };
        note("create folder", folder.create_directory_at(outside));
        note("rename to", folder.rename_at("inner/deep", folder, outside));
        note("rename from", folder.rename_at(outside, folder, "taken"));
        note("link to", folder.link_at(PathFlags::empty(), "inner/file", folder, outside));
        note("link from", folder.link_at(PathFlags::SYMLINK_FOLLOW, outside, folder, "linked"));
        note("symlink at", folder.symlink_at("inner", outside));
        note("remove file", folder.unlink_file_at(outside));
        note("remove folder", folder.remove_directory_at(outside));
    }
    for border in [".", "..", "../"] {
        let result = folder.rename_at("inner", folder, border);
        verdict.note(&format!("rename over {name} {border:?}"), result);
    }
}

/// Makes links to the outside and goes through them.
fn follow_links(verdict: &mut Verdict, folder: &Descriptor, name: &str) {
    for (index, target) in TARGETS.into_iter().enumerate() {
        for place in ["", "inner/"] {
            let link = format!("{place}link{index}");
            let _ = folder.unlink_file_at(&link);
            if folder.symlink_at(target, &link).is_err() {
                // Refused when made: there is nothing to go through, and that is fine.
                continue;
            }
            // From a folder inside, ".." is still inside: only what leads further out counts.
            let tail = if place.is_empty() { "" } else { "/.." };
            for ending in ["", "/", "/.", "/..", "/etc/passwd"] {
                let path = format!("{link}{tail}{ending}");
                // Without following, the link itself may be looked at: it lies inside.
                if ending.is_empty() && tail.is_empty() {
                    let followed = folder.open_at(
                        PathFlags::SYMLINK_FOLLOW,
                        &path,
                        OpenFlags::empty(),
                        DescriptorFlags::READ,
                    );
                    verdict.note(&format!("follow {name} {path:?} to {target:?}"), followed);
                } else {
                    open(verdict, folder, &format!("through {name} {path:?} to {target:?}"), &path);
                }
            }
        }
    }
}

/// Makes a link that is harmless where it is made and points outside where it is moved to.
fn follow_moved_link(verdict: &mut Verdict, folder: &Descriptor, name: &str) {
    let _ = folder.unlink_file_at("inner/deep/up");
    let _ = folder.unlink_file_at("up");
    let made = folder.symlink_at("../..", "inner/deep/up");
    if made.is_err() || folder.rename_at("inner/deep/up", folder, "up").is_err() {
        return;
    }
    for path in ["up/", "up/.", "up/..", "up/etc"] {
        open(verdict, folder, &format!("through a moved link {name} {path:?}"), path);
    }
}

/// Writes files of 1 MiB until the host refuses, at most `mib` of them.
pub(crate) fn fill(request: &Request) -> Response {
    let block = vec![0u8; 1024 * 1024];
    for index in 0..number(request, "mib", 100_000) {
        if let Err(error) = std::fs::write(format!("/files/fill-{index}"), &block) {
            return text(&format!("refused after {index} MiB: {error}\n"));
        }
    }
    text("not refused\n")
}
