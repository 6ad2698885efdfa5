//! The extension of Python that a worker's process loads: runs units with the interpreter's lock released.
//!
//! The operations that it knows are a [`Registry`]. This crate's own extension, `talatat_worker._native`, knows the built-in ones; a crate
//! with operations of its own makes another extension that knows both, in a few lines:
//!
//! ```ignore
//! use pyo3::prelude::*;
//!
//! #[pymodule]
//! fn quarry(module: &Bound<'_, PyModule>) -> PyResult<()> {
//!     talatat_worker::extension(module, quarry_kernels::registry())
//! }
//! ```
//!
//! and names it in its `pyproject.toml`, where the Python package looks it up:
//!
//! ```toml
//! [project.entry-points."talatat.worker"]
//! quarry = "quarry"
//! ```

mod frame;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use frame::Frame;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use talatat_cluster::worker::{Size, Worker};
use talatat_graph::{Block, Error, Registry, Synchronous, Threads, Value};

/// Fills an extension's module: the process's worker, and what it knows.
///
/// # Errors
/// If Python is out of memory.
pub fn extension(module: &Bound<'_, PyModule>, registry: Registry) -> PyResult<()> {
    module.add("version", env!("CARGO_PKG_VERSION"))?;
    module.add("operations", registry.kernel_names())?;
    module.add("process", Process { registry: Arc::new(registry), worker: OnceLock::new() })?;
    module.add_class::<Values>()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    #[cfg(feature = "collections")]
    let registry = talatat_cluster::testing::register(talatat_collections::registry());
    #[cfg(not(feature = "collections"))]
    let registry = talatat_cluster::testing::registry();
    extension(module, registry)
}

/// The one worker of a process.
#[pyclass(frozen)]
struct Process {
    registry: Arc<Registry>,
    worker: OnceLock<Worker>,
}

/// Outputs of a unit.
#[pyclass(frozen)]
struct Values {
    values: Vec<Value>,
    registry: Arc<Registry>,
}

#[pymethods]
impl Process {
    /// Says how many threads run tasks, how many bytes units may need, and where results go beyond that; the first call counts.
    fn configure(&self, threads: usize, memory_limit: Option<u64>, spill_folder: PathBuf) {
        self.worker.get_or_init(|| {
            let worker = match threads {
                0 | 1 => Worker::new(self.registry.clone(), Synchronous),
                threads => Worker::new(self.registry.clone(), Threads::new(threads)),
            };
            match memory_limit {
                None => worker,
                Some(bytes) => worker.memory_limit(bytes, spill_folder),
            }
        });
    }

    /// Runs a unit. Gives its outputs and a report, or nothing and why it failed.
    fn run<'py>(
        &self,
        py: Python<'py>,
        unit: &Bound<'py, PyBytes>,
        dependencies: Vec<Py<Values>>,
        observe: bool,
    ) -> PyResult<(Option<Values>, Bound<'py, PyBytes>)> {
        let worker = self.worker()?;
        let unit = unit.as_bytes();
        let other = |dependency: u32, output: u32| {
            let values = dependencies.get(dependency as usize).map(|values| &values.get().values);
            let value = values.and_then(|values| values.get(output as usize));
            value.cloned().ok_or_else(|| Error::InvalidGraph(format!("no output {output} of input {dependency}")))
        };
        // Panics of kernels are caught where they happen; one of our own must not take the process with it either.
        let result = py.detach(|| catch_unwind(AssertUnwindSafe(|| worker.run(unit, other, observe))));
        Ok(match result {
            Ok(Ok((values, report))) => {
                (Some(Values { values, registry: self.registry.clone() }), PyBytes::new(py, &report.encode()))
            }
            Ok(Err(failure)) => (None, PyBytes::new(py, &failure.encode())),
            Err(_) => return Err(PyRuntimeError::new_err("the worker itself panicked: see its standard error")),
        })
    }

    /// Stops the units of a run.
    fn cancel(&self, run: &str) -> PyResult<()> {
        let run = u128::from_str_radix(run, 16).map_err(|error| PyValueError::new_err(error.to_string()))?;
        if let Some(worker) = self.worker.get() {
            worker.cancel(run);
        }
        Ok(())
    }

    /// Reads values back from the bytes that [`Values::frames`] gave.
    fn values(&self, py: Python<'_>, frames: Vec<Vec<PyBuffer<u8>>>) -> PyResult<Values> {
        let copy = |pieces: Vec<PyBuffer<u8>>| pieces.iter().map(|piece| piece.to_vec(py)).collect::<PyResult<_>>();
        let frames: Vec<Vec<Vec<u8>>> = frames.into_iter().map(copy).collect::<PyResult<_>>()?;
        let read = |pieces: &Vec<Vec<u8>>| {
            let start: Box<dyn Read> = Box::new(std::io::empty());
            let mut all = pieces.iter().fold(start, |all, piece| Box::new(all.chain(piece.as_slice())));
            self.registry.read_value(&mut *all)
        };
        let values = py.detach(|| frames.iter().map(read).collect::<Result<Vec<Value>, Error>>());
        let values = values.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(Values { values, registry: self.registry.clone() })
    }
}

impl Process {
    fn worker(&self) -> PyResult<&Worker> {
        self.worker.get().ok_or_else(|| PyRuntimeError::new_err("the worker has not been configured"))
    }
}

#[pymethods]
impl Values {
    /// Bytes of memory that they hold.
    #[getter]
    fn nbytes(&self) -> usize {
        self.values.iter().map(Value::nbytes).sum()
    }

    fn __len__(&self) -> usize {
        self.values.len()
    }

    /// How large each of them is, in bytes that the driver reads.
    fn sizes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let sizes: Vec<Size> = self.values.iter().map(Size::of).collect();
        PyBytes::new(py, &Size::encode(&sizes))
    }

    /// Some of them, shared.
    fn pick(&self, outputs: Vec<usize>) -> PyResult<Values> {
        let missing = || PyValueError::new_err("no such output");
        let values = outputs.iter().map(|&at| self.values.get(at).cloned().ok_or_else(missing));
        Ok(Values { values: values.collect::<PyResult<_>>()?, registry: self.registry.clone() })
    }

    /// The bytes of each, in one buffer or in several; the memory of a block is shown where it is, if its bytes are just that.
    fn frames<'py>(&self, py: Python<'py>) -> PyResult<Vec<Vec<Bound<'py, Frame>>>> {
        let mut frames = Vec::with_capacity(self.values.len());
        for value in &self.values {
            let pieces = match self.head(value) {
                Some((head, block)) => vec![Frame::own(head), Frame::of(block)],
                None => {
                    let bytes = py.detach(|| {
                        let mut bytes = Vec::with_capacity(value.nbytes() + 64);
                        self.registry.encode_value(value, &mut bytes).map(|()| bytes)
                    });
                    vec![Frame::own(bytes.map_err(|error| PyRuntimeError::new_err(error.to_string()))?)]
                }
            };
            frames.push(pieces.into_iter().map(|piece| Bound::new(py, piece)).collect::<PyResult<_>>()?);
        }
        Ok(frames)
    }
}

impl Values {
    /// A block whose bytes are its memory, and what goes before them.
    fn head(&self, value: &Value) -> Option<(Vec<u8>, Arc<dyn Block>)> {
        let Value::Block(block) = value else { return None };
        Some((self.registry.encode_head(&**block)?, block.clone()))
    }
}
