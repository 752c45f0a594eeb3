//! Shell completions and manual pages, made from the program's whole command line.

use crate::failure::Failure;
use crate::screen::Screen;
use std::path::Path;

/// How completions are installed.
pub(super) const COMPLETIONS_HELP: &str = "\
Examples:
  rowhouse completions bash > ~/.local/share/bash-completion/completions/rowhouse
  rowhouse completions zsh > ~/.zfunc/_rowhouse
  rowhouse completions fish > ~/.config/fish/completions/rowhouse.fish";

/// Prints completions.
pub(super) fn completions(
    shell: clap_complete::Shell,
    mut root: clap::Command,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let name = root.get_name().to_owned();
    // The generator panics where it can't write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut root, name, &mut script);
    Ok(screen.out.write_all(&script)?)
}

/// Writes one page per command into the folder.
pub(super) fn manual(folder: &Path, root: clap::Command, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let failed =
        |source| Failure::File { action: "write the manual pages into", path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(root, folder).map_err(failed)?;
    Ok(screen.note(&format!("manual pages are in {}", folder.display()))?)
}
