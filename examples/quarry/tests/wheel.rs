//! The example as it stands, from the checkout to a running cluster.

use std::io::Write;
use std::path::Path;
use std::process::Command;

#[test]
fn from_a_wheel_to_a_result() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        let required = std::env::var_os("TALATAT_REQUIRE_SHARED").is_some_and(|value| value == "1");
        assert!(!required, "TALATAT_REQUIRE_SHARED=1, and there is no python3 on the PATH");
        // Not with a macro: the test runner would keep that line to itself.
        std::io::stderr().write_all(b"SKIPPED: no python3 on the PATH for the example of a cluster\n").unwrap();
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quarry");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(here.join("../../python/venv.sh")).arg(&folder).arg(here).output().unwrap();
    assert!(made.status.success(), "python/venv.sh: {}", String::from_utf8_lossy(&made.stderr));
    let mut driver = Command::new(env!("CARGO_BIN_EXE_quarry"));
    let ran = driver.env("TALATAT_PYTHON", folder.join("venv/bin/python")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "the last of 1000 squares is Some(998001)\n");
}
