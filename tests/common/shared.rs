//! Data that lies beside the repository, in `../shared/data`, and is not part of it.

use std::path::PathBuf;

/// The path of a file in `../shared/data`. Without that folder the test has nothing to do: it prints a line and gets `None`.
///
/// # Panics
/// If `TALATAT_REQUIRE_SHARED=1` says that the data must be there and it is not.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var_os("TALATAT_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(!required, "TALATAT_REQUIRE_SHARED=1, and there is no {}", path.display());
    println!("SKIPPED (no ../shared): {name}");
    None
}
