//! What is kept, and what is given back, as the system sees it.

use std::time::Duration;

#[global_allocator]
static ALLOCATOR: talatat_allocator::Allocator = talatat_allocator::Allocator;

/// The process's memory in bytes; `None` where the system does not tell.
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<usize>().ok()? * 4096)
}

/// One test, since others would change what is measured.
#[test]
fn freed_pages_are_kept_until_they_are_asked_for() {
    const BYTES: usize = 200 << 20;
    talatat_allocator::keep_freed(Duration::from_secs(3600));
    let Some(before) = resident() else {
        eprintln!("skipped: the system does not tell how large a process is");
        return;
    };
    let block = vec![1_u8; BYTES];
    assert!(resident().is_some_and(|now| now > before + BYTES / 2));
    drop(block);
    let kept = resident().unwrap();
    assert!(kept > before + BYTES / 2, "{kept} bytes, {before} before");
    talatat_allocator::give_back();
    let left = resident().unwrap();
    assert!(left < before + BYTES / 4, "{left} bytes, {before} before");
    // Nothing is kept if nothing is to be.
    talatat_allocator::keep_freed(Duration::ZERO);
    drop(vec![1_u8; BYTES]);
    let left = resident().unwrap();
    assert!(left < before + BYTES / 4, "{left} bytes, {before} before");
    // It goes on.
    let mut grown = vec![7_u16; 1000];
    grown.resize(2_000_000, 8);
    assert_eq!(grown.iter().map(|&x| u64::from(x)).sum::<u64>(), 7 * 1000 + 8 * 1_999_000);
}
