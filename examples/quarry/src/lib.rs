//! An operation of one's own on a cluster.
//!
//! The driver and the workers must know it by the same name: both use [`registry`]. The workers get it as an extension of Python:
//!
//! ```text
//! maturin build                                   # in this folder; the wheel goes to scheduler and workers
//! pip install talatat_worker-*.whl quarry-*.whl
//! cargo run -p quarry                             # the driver: TALATAT_PYTHON names a Python with both
//! ```

use serde::{Deserialize, Serialize};
use talatat_graph::{Error, Kernel, KernelError, KernelResult, Registry, Result, TaskContext, Value};

/// Raises integers to a power.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Power {
    /// The exponent.
    pub exponent: u32,
}

impl Kernel for Power {
    fn name(&self) -> &str {
        "quarry.power"
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let base = match inputs {
            [] => task.block as i64,
            [Value::I64(base)] => *base,
            other => return Err(KernelError::new(format!("expected an integer, got {other:?}"))),
        };
        let power = base.checked_pow(self.exponent);
        power.map(Value::I64).ok_or_else(|| KernelError::new(format!("{base} to the {} is too large", self.exponent)))
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        postcard::to_stdvec(self)
            .map_err(|error| Error::NotPortable { operation: self.name().into(), reason: error.to_string() })
    }
}

/// The operations that the driver and the workers know.
pub fn registry() -> Registry {
    Registry::new().kernel::<Power>("quarry.power")
}

/// The workers' extension.
#[cfg(feature = "python")]
#[pyo3::pymodule]
fn quarry(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
    talatat_worker::extension(module, registry())
}
