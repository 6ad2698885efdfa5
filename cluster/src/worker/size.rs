//! What a worker tells of results that stay with it: the driver's handles say how large they are, and how many rows a partition has,
//! without a look at them.

use serde::{Deserialize, Serialize};
use talatat_graph::{Brief, Value};

/// The most bytes of sizes that are read.
const MOST: usize = 1 << 28;

/// How large a result is, and each of its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    whole: Extent,
    parts: Vec<Extent>,
}

/// How large one block is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Extent {
    bytes: u64,
    /// The first four extents, as errors show them.
    extents: Vec<u64>,
}

impl Extent {
    fn of(value: &Value) -> Extent {
        Extent { bytes: value.nbytes() as u64, extents: value.brief().extents().to_vec() }
    }
}

impl Size {
    /// The size of a value.
    pub fn of(value: &Value) -> Size {
        let parts = match value {
            Value::Parts(parts) => parts.iter().map(Extent::of).collect(),
            _ => Vec::new(),
        };
        Size { whole: Extent::of(value), parts }
    }

    /// Sizes as bytes.
    pub fn encode(sizes: &[Size]) -> Vec<u8> {
        // Nothing of it can fail to be written to memory.
        postcard::to_stdvec(sizes).unwrap_or_default()
    }

    /// Reads sizes back; `None` if the bytes are something else.
    pub fn decode(bytes: &[u8]) -> Option<Vec<Size>> {
        if bytes.len() > MOST { None } else { postcard::from_bytes(bytes).ok() }
    }

    /// Bytes of the result, or of one part of it; `None` if there is no such part.
    pub fn nbytes(&self, part: Option<u32>) -> Option<u64> {
        Some(self.extent(part)?.bytes)
    }

    /// What a handle on it is, in a few words.
    pub fn brief(&self, part: Option<u32>) -> Brief {
        let extents = self.extent(part).map_or(&[][..], |extent| &extent.extents);
        let extents: Vec<usize> = extents.iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
        Brief::new("remote", &extents)
    }

    fn extent(&self, part: Option<u32>) -> Option<&Extent> {
        match part {
            None => Some(&self.whole),
            Some(part) => self.parts.get(part as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Blob;

    #[test]
    fn parts_have_sizes_of_their_own() {
        let blob = |bytes| Value::block(Blob(vec![0; bytes]));
        let sizes = [Size::of(&blob(5)), Size::of(&Value::Parts([blob(1), blob(2)].into())), Size::of(&Value::Unit)];
        let sizes = Size::decode(&Size::encode(&sizes)).unwrap();
        assert_eq!((sizes[0].nbytes(None), sizes[0].nbytes(Some(0))), (Some(5), None));
        assert_eq!((sizes[1].nbytes(None), sizes[1].nbytes(Some(1))), (Some(3), Some(2)));
        assert_eq!((sizes[0].brief(None).extents(), sizes[1].brief(Some(1)).extents()), (&[5][..], &[2][..]));
        assert_eq!(sizes[2].brief(None).extents(), [0_u64; 0]);
    }

    proptest! {
        #[test]
        fn garbage_is_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            // Whatever is read is written back as at most what it was read from.
            if let Some(sizes) = Size::decode(&bytes) {
                prop_assert!(Size::encode(&sizes).len() <= bytes.len());
            }
        }
    }
}
