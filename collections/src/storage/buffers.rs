//! Buffers that files are read into, kept to be used again: the first touch of fresh pages costs more than reading what is in the
//! page cache.

use bytes::Bytes;
use parking_lot::Mutex;

/// At most so many bytes are kept, and none when memory is short.
const KEPT: usize = 96 << 20;
/// Smaller ones are the allocator's business.
const SMALLEST: usize = 1 << 20;

/// Buffers that nobody uses. They stay as long as they were made, so nothing is cleared twice.
static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Frees kept buffers until no more than `most` bytes are kept.
pub(crate) fn shrink(most: u64) {
    let mut dropped = Vec::new();
    let mut free = FREE.lock();
    while free.iter().map(|bytes| bytes.len() as u64).sum::<u64>() > most {
        dropped.extend(free.pop());
    }
    drop(free);
    drop(dropped);
}

/// A buffer of at least some length; what is in it is left from others.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    used: usize,
}

impl Buffer {
    /// A kept buffer that is not much too long, or a new one.
    pub(super) fn take(used: usize) -> Buffer {
        let mut free = FREE.lock();
        let fits = |bytes: &Vec<u8>| bytes.len() >= used && bytes.len() / 4 <= used;
        let kept = free.iter().position(fits).map(|at| free.swap_remove(at));
        drop(free);
        Buffer { bytes: kept.unwrap_or_else(|| vec![0; used]), used }
    }

    /// The part that is used, to be written.
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        let used = self.used.min(self.bytes.len());
        &mut self.bytes[..used]
    }

    /// The same as shared bytes; the buffer comes back when the last of them is dropped.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&self.bytes)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() < SMALLEST {
            return;
        }
        let mut free = FREE.lock();
        if free.iter().map(Vec::len).sum::<usize>() + bytes.len() <= KEPT {
            free.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_reader_is_gone() {
        // A length that no other test asks for.
        let length = (3 << 20) + 12_347;
        let mut buffer = Buffer::take(length);
        buffer.as_mut().fill(7);
        let bytes = buffer.freeze();
        let (place, part) = (bytes.as_ptr(), bytes.slice(10..20));
        drop(bytes);
        assert!(part.iter().all(|&byte| byte == 7) && part.len() == 10);
        drop(part);
        let again = Buffer::take(length - 1000).freeze();
        assert_eq!((again.as_ptr(), again.len()), (place, length - 1000));
        assert_ne!(Buffer::take(length / 8).freeze().as_ptr(), place, "a short one does not take it");
    }
}
