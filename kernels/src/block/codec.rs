//! A block as bytes: element type, number of dimensions, shape, elements in row-major order;
//! all little-endian.

use super::super::error::{KernelError, Result};
use super::super::lane::Lane;
use super::super::pool;
use super::{Block, elements_of};
use crate::dtype::{DType, with_dtype};

/// More dimensions than any array has.
const MAX_NDIM: usize = 64;

impl Block {
    /// The bytes [`Block::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        2 + 8 * self.ndim() + self.nbytes()
    }

    /// Appends the block to `out`: the index of the element type in [`DType::ALL`] and the number
    /// of dimensions (a byte each), the shape (8 bytes each), the elements in row-major order.
    ///
    /// ```
    /// use talatat_kernels::Block;
    /// let block = Block::full(&[2, 3], 1.5_f32)?;
    /// let mut bytes = Vec::new();
    /// block.encode(&mut bytes);
    /// assert_eq!(bytes.len(), block.encoded_len());
    /// assert_eq!(Block::decode(&bytes)?, block);
    /// # Ok::<(), talatat_kernels::KernelError>(())
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.encoded_len());
        let code = DType::ALL.iter().position(|&dtype| dtype == self.dtype()).unwrap_or_default();
        out.push(code as u8);
        out.push(self.ndim() as u8);
        for &n in self.shape() {
            out.extend_from_slice(&(n as u64).to_le_bytes());
        }
        let start = out.len();
        out.resize(start + self.nbytes(), 0);
        let packed = self.packed();
        let block = packed.as_ref().unwrap_or(self);
        with_dtype!(self.dtype(), T => {
            if let Some(values) = block.memory().as_ref().and_then(<T as Lane>::slice) {
                <T as Lane>::write_le(values, &mut out[start..]);
            }
        });
    }

    /// Reads what [`Block::encode`] wrote. Never allocates more than the bytes given.
    ///
    /// # Errors
    /// [`KernelError::Decode`] if the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Block> {
        let fail = |reason: String| KernelError::Decode { reason };
        let [code, ndim, rest @ ..] = bytes else {
            return Err(fail(format!("{} bytes are less than a header of 2", bytes.len())));
        };
        let &dtype = DType::ALL
            .get(usize::from(*code))
            .ok_or_else(|| fail(format!("byte 0 is {code}, not one of the {} element types", DType::ALL.len())))?;
        let ndim = usize::from(*ndim);
        if ndim > MAX_NDIM {
            return Err(fail(format!("byte 1 says {ndim} dimensions; at most {MAX_NDIM} are possible")));
        }
        let Some((shape, elements)) = rest.split_at_checked(8 * ndim) else {
            return Err(fail(format!("{} bytes end within the shape of {ndim} dimensions", bytes.len())));
        };
        let shape = shape
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&n| usize::try_from(u64::from_le_bytes(n)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| fail("an axis is longer than memory".to_owned()))?;
        with_dtype!(dtype, T => {
            let count = elements_of::<T>(&shape).map_err(|error| fail(error.to_string()))?;
            if count * size_of::<T>() != elements.len() {
                return Err(fail(format!(
                    "{dtype}{shape:?} takes {} bytes, {} follow the shape",
                    count * size_of::<T>(),
                    elements.len()
                )));
            }
            let mut buffer = pool::take::<T>(count);
            if !<T as Lane>::read_le(elements, &mut buffer) {
                return Err(fail(format!("a byte of {dtype}{shape:?} is neither 0 nor 1")));
            }
            Block::from_vec(&shape, buffer)
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn, array};
    use proptest::prelude::*;

    use super::*;

    fn round_trip(block: &Block) -> Block {
        let mut bytes = vec![1, 2, 3];
        block.encode(&mut bytes);
        assert_eq!(bytes.len(), 3 + block.encoded_len());
        Block::decode(&bytes[3..]).unwrap()
    }

    #[test]
    fn every_type_and_shape_comes_back() {
        for &dtype in DType::ALL {
            for shape in [&[][..], &[0], &[3], &[2, 0, 4], &[2, 3, 1, 2]] {
                let count = shape.iter().product::<usize>();
                let values = (0..count).map(|i| i as f64).collect();
                let block = Block::from_vec(shape, values).unwrap().cast(dtype);
                assert_eq!(round_trip(&block), block);
            }
        }
        let transposed = Block::from_array(array![[1_i16, 2], [3, 4]].into_dyn().reversed_axes());
        assert_eq!(round_trip(&transposed), transposed);
        let deep = Block::from_array(ArrayD::<u8>::zeros(IxDyn(&[1; 32])));
        assert_eq!(round_trip(&deep), deep);
    }

    #[test]
    fn bits_of_floats_come_back() {
        let block = Block::from_vec(&[3], vec![f64::from_bits(0x7ff8_dead_beef_0001), -0.0, f64::INFINITY]).unwrap();
        let back = round_trip(&block).into_array::<f64>().unwrap();
        assert_eq!(back[0].to_bits(), 0x7ff8_dead_beef_0001);
        assert!(back[1].is_sign_negative());
    }

    #[test]
    fn damage_is_told() {
        let mut bytes = Vec::new();
        Block::full(&[2], true).unwrap().encode(&mut bytes);
        for length in 0..bytes.len() {
            assert!(Block::decode(&bytes[..length]).is_err());
        }
        bytes[11] = 2;
        assert!(Block::decode(&bytes).unwrap_err().to_string().contains("neither 0 nor 1"));
        bytes[0] = 99;
        assert!(Block::decode(&bytes).is_err());
        // A shape whose product overflows must not be believed.
        let mut huge = vec![10, 3];
        huge.extend([0xff; 24]);
        assert!(Block::decode(&huge).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(code in 0_u8..14, ndim in 0_u8..5, rest in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = vec![code, ndim];
            bytes.extend(rest);
            if let Ok(block) = Block::decode(&bytes) {
                prop_assert_eq!(block.encoded_len(), bytes.len());
            }
        }
    }
}
