//! The header of an `.npy` array.

use std::io::Cursor;

use ndarray_npy::npy::header::{Header, Layout};

use crate::array::dtype::{DType, Kind};
use crate::storage::error::{Result, StorageError};
use crate::storage::read::ObjectRef;

/// Magic string, version and the longer form of the header's length.
const PREFIX: usize = 12;
/// NumPy's own limit for headers of files that are not trusted (`max_header_size`).
const MAX_HEADER: usize = 10_000;
/// Nested brackets in a header of a supported dtype: the dictionary and the shape. The parser is
/// recursive and backtracks, so deeper nesting is refused before it.
const MAX_NESTING: usize = 4;

/// What an `.npy` header says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NpyHeader {
    /// Type of the elements.
    pub dtype: DType,
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Whether the first axis is contiguous (Fortran order) and not the last.
    pub fortran: bool,
    /// Bytes before the first element.
    pub offset: u64,
    /// Whether elements have their most significant byte first.
    pub big_endian: bool,
}

/// Reads and checks the header of an object: one request of at most 10,012 bytes.
///
/// # Errors
/// [`StorageError::BadNpy`] if it is no `.npy` file, has a header that makes no sense, or has not exactly the size
/// that the header promises; [`StorageError::UnsupportedDtype`]; a failure of the store.
pub fn open(object: &ObjectRef) -> Result<NpyHeader> {
    let start = object.read_range(0..object.size().min((PREFIX + MAX_HEADER) as u64))?;
    let url = object.location().to_string();
    let header = NpyHeader::parse(&start, &url)?;
    let promised = header.offset.checked_add(header.data_bytes());
    let shape = &header.shape;
    match promised {
        Some(promised) if promised == object.size() => Ok(header),
        Some(promised) => {
            let (what, mend) = if promised > object.size() {
                ("truncated", "copy or write it again")
            } else {
                ("longer than its header says", "it may hold more than one array; save each in a file of its own")
            };
            let (size, dtype) = (object.size(), header.dtype);
            let reason =
                format!("it is {what}: shape {shape:?} of {dtype} needs {promised} bytes, the file has {size}; {mend}");
            Err(StorageError::BadNpy { url, reason })
        }
        None => Err(StorageError::BadNpy { url, reason: format!("shape {shape:?} is too large") }),
    }
}

impl NpyHeader {
    /// The header of an array about to be written, in this machine's byte order.
    pub fn new(dtype: DType, shape: &[usize], fortran: bool) -> Self {
        let mut header =
            NpyHeader { dtype, shape: shape.to_vec(), fortran, offset: 0, big_endian: cfg!(target_endian = "big") };
        header.offset = header.to_bytes().map_or(0, |bytes| bytes.len() as u64);
        header
    }

    /// Parses the first bytes of a file. At most 10,012 bytes are needed and looked at; `url` is for messages.
    ///
    /// # Errors
    /// [`StorageError::BadNpy`], [`StorageError::UnsupportedDtype`].
    pub fn parse(bytes: &[u8], url: &str) -> Result<Self> {
        let bad = |reason: String| StorageError::BadNpy { url: url.into(), reason };
        let offset = header_end(bytes).map_err(bad)?;
        let bytes =
            bytes.get(..offset).ok_or_else(|| bad("it ends inside of its header; copy or write it again".into()))?;
        if nesting(bytes) > MAX_NESTING {
            return Err(match structured(bytes) {
                true => StorageError::UnsupportedDtype { url: url.into(), dtype: "structured (with fields)".into() },
                false => bad("its header is nested too deeply".into()),
            });
        }
        let header = Header::from_reader(&mut Cursor::new(bytes)).map_err(|error| bad(error.to_string()))?;
        let described = header.type_descriptor.as_string().map(String::as_str);
        let (dtype, big_endian) = described.and_then(parse_descriptor).ok_or_else(|| {
            let shown = header.type_descriptor.to_string();
            let name = described.map_or("structured (with fields)", unsupported_name);
            StorageError::UnsupportedDtype { url: url.into(), dtype: format!("{name} {shown}") }
        })?;
        if !fits(dtype, &header.shape) {
            return Err(bad(format!("shape {:?} of {dtype} is too large for memory addresses", header.shape)));
        }
        let fortran = header.layout.is_fortran();
        Ok(NpyHeader { dtype, shape: header.shape, fortran, offset: offset as u64, big_endian })
    }

    /// Bytes of the elements, without the header.
    pub fn data_bytes(&self) -> u64 {
        let size = |size: u64, &n: &usize| size.saturating_mul(n as u64);
        self.shape.iter().fold(self.dtype.size() as u64, size)
    }

    /// The header as it stands in a file of version 1 (or 2 if it is long). The elements are little-endian.
    ///
    /// # Errors
    /// [`StorageError::BadNpy`] if there are so many axes that the header does not fit its format.
    ///
    /// ```
    /// use talatat_collections::array::dtype::DType;
    /// use talatat_collections::storage::npy::NpyHeader;
    /// let header = NpyHeader::new(DType::F64, &[1000, 3], false);
    /// let bytes = header.to_bytes()?;
    /// assert_eq!(bytes.len() as u64, header.offset);
    /// assert_eq!(NpyHeader::parse(&bytes, "example")?, header);
    /// # Ok::<(), talatat_collections::storage::StorageError>(())
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let failed = |reason: String| StorageError::BadNpy { url: "output".into(), reason };
        let text = format!("'{}'", descriptor(self.dtype));
        let type_descriptor = text.parse().map_err(|_| failed(format!("{text} is no descriptor")))?;
        let layout = if self.fortran { Layout::Fortran } else { Layout::Standard };
        let header = Header { type_descriptor, layout, shape: self.shape.clone() };
        header.to_bytes().map_err(|error| failed(error.to_string()))
    }
}

/// Whether sizes and strides in bytes can be computed: axes of length 0 may stand beside ones whose product overflows,
/// and strides are made of the others.
pub(super) fn fits(dtype: DType, shape: &[usize]) -> bool {
    let size = shape.iter().filter(|&&n| n > 0).try_fold(dtype.size(), |size, &n| size.checked_mul(n));
    size.is_some_and(|size| isize::try_from(size).is_ok())
}

/// Where the header ends, from its first bytes.
fn header_end(bytes: &[u8]) -> Result<usize, String> {
    let Some(rest) = bytes.strip_prefix(b"\x93NUMPY") else {
        let mend = "NumPy's `save` writes such files; .npz archives and pickles are others";
        return Err(format!("it does not begin with the magic string; {mend}"));
    };
    let (start, length) = match rest {
        [1, 0, a, b, ..] => (10, usize::from(u16::from_le_bytes([*a, *b]))),
        [2 | 3, 0, a, b, c, d, ..] => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
        [1..=3, 0, ..] | [] | [_] => {
            return Err("it ends inside of its header; copy or write it again".into());
        }
        [major, minor, ..] => {
            return Err(format!("format version {major}.{minor} is not known; 1.0, 2.0 and 3.0 are"));
        }
    };
    match length {
        0..=MAX_HEADER => Ok(start + length),
        _ => Err(format!("its header claims {length} bytes, the limit is {MAX_HEADER}")),
    }
}

/// Deepest nesting of brackets; those inside of strings count too, which errs on the safe side.
fn nesting(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let depths = bytes.iter().map(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth
    });
    depths.max().unwrap_or(0)
}

/// Whether the dtype of a header is a list of fields.
fn structured(bytes: &[u8]) -> bool {
    let text: String = bytes.iter().map(|&b| char::from(b)).filter(|c| *c != ' ').collect();
    text.contains("'descr':[")
}

/// The descriptor of a dtype, little-endian.
pub(crate) fn descriptor(dtype: DType) -> String {
    let letter = match dtype.kind() {
        Kind::Bool => 'b',
        Kind::Signed => 'i',
        Kind::Unsigned => 'u',
        Kind::Float => 'f',
        Kind::Complex => 'c',
    };
    let order = if dtype.size() == 1 { '|' } else { '<' };
    format!("{order}{letter}{}", dtype.size())
}

/// dtype and byte order of a descriptor such as `<f8`, if arrays have such elements.
pub(crate) fn parse_descriptor(text: &str) -> Option<(DType, bool)> {
    let mut chars = text.chars();
    let order = chars.next()?;
    let kind = chars.as_str();
    let big = match order {
        '<' | '|' => false,
        '>' => true,
        '=' => cfg!(target_endian = "big"),
        _ => return None,
    };
    let dtype = DType::ALL.iter().copied().find(|&dtype| descriptor(dtype).get(1..) == Some(kind))?;
    Some((dtype, big))
}

/// NumPy's name of a dtype that arrays do not have.
fn unsupported_name(descriptor: &str) -> &'static str {
    match descriptor.trim_start_matches(['<', '>', '|', '=']) {
        "f12" | "f16" => "longdouble",
        other => match other.chars().next() {
            Some('c') => "clongdouble",
            Some('O') => "object",
            Some('S' | 'a') => "bytes",
            Some('U') => "str",
            Some('M') => "datetime64",
            Some('m') => "timedelta64",
            Some('V') => "void",
            _ => "unknown",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Location, write_atomic};
    use proptest::prelude::*;
    use std::io::Write;

    /// A file as NumPy writes it.
    pub(super) fn file(version: u8, dictionary: &str) -> Vec<u8> {
        let body = format!("{dictionary}\n");
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((body.len() as u16).to_le_bytes()),
            _ => bytes.extend((body.len() as u32).to_le_bytes()),
        }
        bytes.extend(body.bytes());
        bytes
    }

    fn parse(version: u8, dictionary: &str) -> Result<NpyHeader> {
        NpyHeader::parse(&file(version, dictionary), "x.npy")
    }

    #[test]
    fn headers_of_all_versions() {
        for version in [1, 2, 3] {
            let text = "{'descr': '>i2', 'fortran_order': True, 'shape': (3, 4), }   ";
            let header = parse(version, text).unwrap();
            let offset = file(version, text).len() as u64;
            let expected = NpyHeader { dtype: DType::I16, shape: vec![3, 4], fortran: true, offset, big_endian: true };
            assert_eq!(header, expected);
            assert_eq!(header.data_bytes(), 24);
        }
        for (shape, expected) in [("()", vec![]), ("(5,)", vec![5]), ("(0, 7)", vec![0, 7])] {
            let text = format!("{{'descr': '|b1', 'fortran_order': False, 'shape': {shape}}}");
            assert_eq!(parse(1, &text).unwrap().shape, expected);
        }
    }

    #[test]
    fn written_headers_are_read_back() {
        for &dtype in DType::ALL {
            for shape in [&[][..], &[0], &[3, 5, 7], &[1; 32]] {
                let header = NpyHeader::new(dtype, shape, true);
                let bytes = header.to_bytes().unwrap();
                assert_eq!(bytes.len() % 64, 0);
                assert_eq!(NpyHeader::parse(&bytes, "x").unwrap(), header);
            }
        }
    }

    #[test]
    fn unsupported_dtypes_are_named() {
        for (descriptor, name) in [
            ("'<c32'", "clongdouble"),
            ("'|O'", "object"),
            ("'<U7'", "str"),
            ("'|S3'", "bytes"),
            ("'<M8[ns]'", "datetime64"),
            ("'<m8[s]'", "timedelta64"),
            ("'|V8'", "void"),
            ("'<f16'", "longdouble"),
            ("[('a', '<f8'), ('b', '<i4', (2, 3))]", "structured"),
            ("[('a', [('b', [('c', '<f8')])])]", "structured"),
        ] {
            let error =
                parse(1, &format!("{{'descr': {descriptor}, 'fortran_order': False, 'shape': (1,)}}")).unwrap_err();
            assert!(matches!(&error, StorageError::UnsupportedDtype { dtype, .. } if dtype.contains(name)), "{error}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        let text = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}");
        let good = file(1, &text("(2, 3)"));
        (0..good.len()).for_each(|n| assert!(NpyHeader::parse(&good[..n], "x").is_err(), "{n}"));
        let huge = [b"\x93NUMPY\x02\x00".as_slice(), &u32::MAX.to_le_bytes()].concat();
        let brackets = ["(", "[", "{"].map(|b| file(1, &b.repeat(9000)));
        let shapes = [
            "(18446744073709551616,)",
            "(-1,)",
            "(4294967296, 4294967296)",
            "(0, 4294967296, 4294967296)",
            "3",
            "(1.5,)",
            "(9223372036854775807,)",
        ];
        let files = shapes.iter().map(|shape| file(1, &text(shape)));
        for bytes in
            files.chain(brackets).chain([huge, b"PK\x03\x04".to_vec(), file(9, "{}"), file(1, "{}"), file(3, "é")])
        {
            let error = NpyHeader::parse(&bytes, "x.npy").unwrap_err();
            assert!(matches!(error, StorageError::BadNpy { .. }), "{error}");
            assert!(error.to_string().contains("`x.npy`"), "{error}");
        }
    }

    #[test]
    fn sizes_are_compared_when_opening() {
        let header = NpyHeader::new(DType::I32, &[2, 3], false).to_bytes().unwrap();
        for (extra, message) in [(23, "truncated"), (0, "truncated"), (25, "longer than its header"), (24, "")] {
            let location = Location::parse(&format!("memory://npy-header/{extra}")).unwrap();
            write_atomic(&location, |w| w.write_all(&header).and_then(|()| w.write_all(&vec![0; extra]))).unwrap();
            match open(&ObjectRef::open(&location).unwrap()) {
                Ok(header) => assert_eq!((extra, header.shape), (24, vec![2, 3])),
                Err(error) => assert!(!message.is_empty() && error.to_string().contains(message), "{error}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = NpyHeader::parse(&bytes, "x");
            let _ = NpyHeader::parse(&[b"\x93NUMPY\x01\x00".as_slice(), &bytes].concat(), "x");
        }

        #[test]
        fn no_dictionary_makes_it_panic(text in r"\{?('descr'|'shape'|: ?|'<f8'|\(|\)|\{|\}|\[|\]|,|[0-9]{1,25}|True|é|\\){0,30}") {
            let _ = parse(1, &text);
            let _ = parse(3, &text);
        }
    }
}
