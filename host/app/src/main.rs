//! The `rowhouse` command. Everything is in the library.

/// Requests allocate and free on several threads at once, some dozens of times each; the system's allocator takes locks
/// for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rowhouse::main()
}
