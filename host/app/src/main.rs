//! The `rowhouse` command. Everything is in the library.

fn main() -> std::process::ExitCode {
    rowhouse::main()
}
