//! A block as bytes: element type, number of dimensions, shape, elements in row-major order;
//! all little-endian.

use std::io::{Read, Write};

use super::super::error::{KernelError, Result};
use super::super::lane::Lane;
use super::super::pool;
use super::{Block, elements_of};
use crate::dtype::{DType, with_dtype};

/// More dimensions than any array has.
const MAX_NDIM: usize = 64;

/// Bytes that are converted at once on the way to a file and back; a multiple of every element's size.
const PIECE: usize = 256 << 10;

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
        out.extend(self.header());
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

    /// The bytes of [`Block::encode`] as a header and the memory of the elements, where that is the same: of a block in row-major order on a
    /// little-endian machine.
    ///
    /// ```
    /// use talatat_kernels::Block;
    /// let block = Block::full(&[2, 3], 1.5_f32)?;
    /// let mut bytes = Vec::new();
    /// block.encode(&mut bytes);
    /// if let Some((header, memory)) = block.raw_bytes() {
    ///     assert_eq!([&header, memory].concat(), bytes);
    /// }
    /// # Ok::<(), talatat_kernels::KernelError>(())
    /// ```
    pub fn raw_bytes(&self) -> Option<(Vec<u8>, &[u8])> {
        if cfg!(target_endian = "big") {
            return None;
        }
        let bytes = self.row_major()?.bytes();
        Some((self.header(), bytes))
    }

    /// Writes the bytes of [`Block::encode`], a piece at a time: without a copy of the block.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        out.write_all(&self.header())?;
        with_dtype!(self.dtype(), T => {
            let Ok(view) = self.view::<T>() else { return Ok(()) };
            let mut bytes = vec![0; PIECE.min(self.nbytes())];
            let mut put = |values: &[T]| {
                let bytes = &mut bytes[..size_of_val(values)];
                <T as Lane>::write_le(values, bytes);
                out.write_all(bytes)
            };
            let piece = PIECE / size_of::<T>();
            match view.as_slice() {
                Some(values) => values.chunks(piece).try_for_each(&mut put),
                None => {
                    let mut values = Vec::with_capacity(piece.min(view.len()));
                    for &value in &view {
                        values.push(value);
                        if values.len() == piece {
                            put(&values)?;
                            values.clear();
                        }
                    }
                    put(&values)
                }
            }
        })
    }

    /// Reads what [`Block::write`] or [`Block::encode`] wrote, straight into the block's buffer.
    ///
    /// # Errors
    /// [`KernelError::Decode`] if the bytes are anything else or end too soon.
    pub fn read(bytes: &mut dyn Read) -> Result<Block> {
        let fail = |reason: String| KernelError::Decode { reason };
        let short = |error: std::io::Error| fail(error.to_string());
        let mut head = vec![0; 2];
        bytes.read_exact(&mut head).map_err(short)?;
        head.resize(2 + 8 * usize::from(head[1]).min(MAX_NDIM + 1), 0);
        bytes.read_exact(&mut head[2..]).map_err(short)?;
        let (dtype, shape, _) = parse_header(&head)?;
        with_dtype!(dtype, T => {
            let count = elements_of::<T>(&shape).map_err(|error| fail(error.to_string()))?;
            let mut buffer = pool::take::<T>(count);
            let mut raw = vec![0; PIECE.min(count * size_of::<T>())];
            for values in buffer.chunks_mut(PIECE / size_of::<T>()) {
                let raw = &mut raw[..size_of_val(values)];
                bytes.read_exact(raw).map_err(short)?;
                if !<T as Lane>::read_le(raw, values) {
                    return Err(fail(format!("a byte of {dtype}{shape:?} is neither 0 nor 1")));
                }
            }
            Block::from_vec(&shape, buffer)
        })
    }

    fn header(&self) -> Vec<u8> {
        let code = DType::ALL.iter().position(|&dtype| dtype == self.dtype()).unwrap_or_default();
        let mut header = vec![code as u8, self.ndim() as u8];
        self.shape().iter().for_each(|&n| header.extend((n as u64).to_le_bytes()));
        header
    }

    /// Reads what [`Block::encode`] wrote. Never allocates more than the bytes given.
    ///
    /// # Errors
    /// [`KernelError::Decode`] if the bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Block> {
        let fail = |reason: String| KernelError::Decode { reason };
        let (dtype, shape, elements) = parse_header(bytes)?;
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

/// The element type, the shape and what follows them.
fn parse_header(bytes: &[u8]) -> Result<(DType, Vec<usize>, &[u8])> {
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
    Ok((dtype, shape, elements))
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
        let mut written = Vec::new();
        block.write(&mut written).unwrap();
        assert_eq!(written, bytes[3..]);
        assert_eq!(Block::read(&mut written.as_slice()).unwrap().dtype(), block.dtype());
        if let Some((header, memory)) = block.raw_bytes() {
            assert_eq!([&header, memory].concat(), written);
        }
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
    fn the_memory_of_rows_is_their_bytes() {
        let block = Block::from_array(array![[1.5, -2.5], [3.5, 4.5]].into_dyn());
        assert_eq!(block.raw_bytes().is_some(), cfg!(target_endian = "little"));
        let columns = Block::from_array(array![[1.5, -2.5], [3.5, 4.5]].into_dyn().reversed_axes());
        assert!(columns.raw_bytes().is_none());
        let part = block.into_shared().part(&[1..2, 0..2]).unwrap();
        assert_eq!(part.raw_bytes().is_some(), cfg!(target_endian = "little"));
        round_trip(&part);
    }

    #[test]
    fn bits_of_floats_come_back() {
        let block = Block::from_vec(&[3], vec![f64::from_bits(0x7ff8_dead_beef_0001), -0.0, f64::INFINITY]).unwrap();
        let back = round_trip(&block).into_array::<f64>().unwrap();
        assert_eq!(back[0].to_bits(), 0x7ff8_dead_beef_0001);
        assert!(back[1].is_sign_negative());
    }

    #[test]
    fn blocks_of_many_pieces() {
        let wide = Block::from_vec(&[3, 50_000], (0..150_000_u64).collect()).unwrap();
        let turned = Block::from_array(wide.view::<u64>().unwrap().to_owned().reversed_axes());
        for block in [wide, turned] {
            let mut bytes = Vec::new();
            block.write(&mut bytes).unwrap();
            assert_eq!(Block::read(&mut bytes.as_slice()).unwrap(), block);
        }
    }

    #[test]
    fn damage_is_told() {
        let mut bytes = Vec::new();
        Block::full(&[2], true).unwrap().encode(&mut bytes);
        for length in 0..bytes.len() {
            assert!(Block::decode(&bytes[..length]).is_err());
            assert!(Block::read(&mut &bytes[..length]).is_err());
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
