//! How much memory the process has.

use std::sync::OnceLock;

/// Bytes of memory that the process has now, as the system counts them (its resident set); 0 where that cannot be had.
///
/// On Linux from `/proc/self/statm`: a few microseconds.
pub(crate) fn process_memory() -> u64 {
    static PAGE: OnceLock<Option<u64>> = OnceLock::new();
    let Some(page) = *PAGE.get_or_init(page_size) else { return 0 };
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(page)
}

/// The page size, from what the kernel tells each program at its start: pairs of words, of which number 6 is this.
fn page_size() -> Option<u64> {
    const PAGE_SIZE: usize = 6;
    const WORD: usize = size_of::<usize>();
    let bytes = std::fs::read("/proc/self/auxv").ok()?;
    let word = |at: usize| bytes.get(at..at + WORD)?.try_into().ok().map(usize::from_ne_bytes);
    let mut pairs = (0..bytes.len()).step_by(2 * WORD);
    pairs.find_map(|at| (word(at)? == PAGE_SIZE).then(|| word(at + WORD)).flatten()).map(|size| size as u64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_touched_is_seen() {
        let before = process_memory();
        let block = vec![1_u8; 64 << 20];
        let with = process_memory();
        assert!(before > 1 << 20 && with > before + (48 << 20), "{before} {with} {}", block.len());
    }
}
