//! Bytes that Python reads where they are.
//!
//! The one place with unsafe code: Python's buffer protocol is a pointer, and pyo3 has no safe way to fill one. A copy instead costs
//! a block's whole size in fresh memory, more than all that Dask does to send it. It is sound because a view holds the [`Frame`] and
//! the frame holds the bytes, or a handle on the block whose bytes they are: what [`Block::raw`] borrows from a block can be
//! borrowed for as long as there is a handle on it, does not move or change meanwhile, and Python is told that it is not to be written to.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use talatat_graph::Block;

/// A buffer of bytes that can be read and not written.
#[pyclass(frozen)]
pub(crate) struct Frame(Bytes);

enum Bytes {
    /// Bytes that were written for it.
    Own(Vec<u8>),
    /// The memory of a block whose [`Block::raw`] is something.
    Of(Arc<dyn Block>),
}

impl Frame {
    pub(crate) fn own(bytes: Vec<u8>) -> Frame {
        Frame(Bytes::Own(bytes))
    }

    pub(crate) fn of(block: Arc<dyn Block>) -> Frame {
        Frame(Bytes::Of(block))
    }

    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Own(bytes) => bytes,
            Bytes::Of(block) => block.raw().map_or(&[], |(_, bytes)| bytes),
        }
    }
}

#[pymethods]
impl Frame {
    fn __len__(&self) -> usize {
        self.bytes().len()
    }

    /// # Safety
    /// Called by Python alone, with a view to fill or null.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill"));
        }
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err("these bytes are read, not written"));
        }
        let bytes = slf.get().bytes();
        let (start, length) = (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len() as ffi::Py_ssize_t);
        // SAFETY: the view is Python's and not null; the memory outlives it, as it takes a reference to `slf`, which holds the memory;
        // it is marked as read-only.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}
