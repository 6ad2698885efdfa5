//! The short form of the campaign: a few computations under tight limits.

use std::process::Command;

#[test]
fn nothing_is_killed_and_no_answer_is_wrong() {
    let run =
        Command::new(env!("CARGO_BIN_EXE_promise")).args(["--graphs", "10", "--bytes", "8388608"]).output().unwrap();
    let table = String::from_utf8_lossy(&run.stdout);
    println!("{table}");
    assert!(run.status.success(), "{table}\n{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(table.lines().filter(|line| line.starts_with("| arrays") || line.starts_with("| frames")).count(), 8);
}
