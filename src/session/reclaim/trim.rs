//! The system's own allocator gives freed pages back.

/// Gives freed pages back to the system, if the program's allocator is glibc's: it keeps freed blocks of up to 32 MiB for itself, in as many
/// heaps as there are threads. Some milliseconds. Elsewhere nothing happens.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub(crate) fn trim() {
    // SAFETY: `malloc_trim` takes no pointers and may be called at any time by any thread; what is allocated stays where it is. In a program
    // with another allocator it finds glibc's heaps empty.
    let _gave = unsafe { libc::malloc_trim(0) };
}

/// Does nothing: of this system's allocator it is not known whether it keeps pages.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn trim() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use talatat_collections::config::own_memory;

    /// Small blocks, all but a few of which are freed: the heap cannot shrink at its end, so they stay until they are asked for.
    #[test]
    fn freed_pages_go_back() {
        const BYTES: usize = 64 << 20;
        let mut blocks: Vec<Vec<u8>> = (0..BYTES / 16384).map(|_| vec![1; 16384]).collect();
        let full = own_memory().unwrap();
        let kept: Vec<Vec<u8>> = blocks.drain(..).step_by(64).collect();
        super::trim();
        let after = own_memory().unwrap();
        assert!(full.saturating_sub(after) > BYTES as u64 / 2, "{full} {after}");
        assert!(kept.iter().all(|block| block.iter().all(|&byte| byte == 1)));
    }
}
