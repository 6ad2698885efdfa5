//! Data that lies beside the repository, in `../shared/data`, and is not part of it.

use std::path::{Path, PathBuf};

/// The path of a file in `../shared/data`. Without it the test has nothing to do: it prints a line and gets `None`.
///
/// Test binaries of the other packages include this file: `#[path = "../../tests/common/shared.rs"] mod shared;`.
///
/// # Panics
/// If `TALATAT_REQUIRE_SHARED=1` says that the data must be there and it is not.
pub fn shared(name: &str) -> Option<PathBuf> {
    // The repository is this package's folder or the one above.
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).take(2);
    let mut paths = folders.map(|folder| folder.join("shared/data").join(name));
    if let Some(path) = paths.find(|path| path.exists()) {
        return Some(path);
    }
    let required = std::env::var_os("TALATAT_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(!required, "TALATAT_REQUIRE_SHARED=1, and there is no ../shared/data/{name}");
    println!("SKIPPED (no ../shared): {name}");
    None
}
