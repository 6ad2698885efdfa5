//! Operations for tests of clusters: blocks of any size, failures, and tasks that wait for somebody; an engine whose processes can be
//! killed, and a campaign that does so.

#[cfg(unix)]
pub mod campaign;
#[cfg(unix)]
pub mod engine;

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use talatat_graph::{
    Block, Brief, Error, Kernel, KernelError, KernelResult, Key, Registry, Result, TaskContext, Value,
    testing::{self, Rng},
};

/// The operations of the graph crate's tests and those of this module.
pub fn registry() -> Registry {
    register(testing::registry())
}

/// Adds the operations of this module.
pub fn register(registry: Registry) -> Registry {
    registry.kernel::<Act>(ACT).block(BLOB, |bytes| Ok(Arc::new(Blob(bytes.to_vec())))).block_reader(
        BLOB,
        |bytes, nbytes| {
            let mut blob = Vec::with_capacity(usize::try_from(nbytes.min(1 << 28)).unwrap_or(0));
            bytes.read_to_end(&mut blob).map_err(KernelError::from_source)?;
            Ok(Arc::new(Blob(blob)))
        },
    )
}

const ACT: &str = "testing.act";
const BLOB: &str = "testing.blob";

/// Bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Block for Blob {
    fn nbytes(&self) -> usize {
        self.0.len()
    }

    fn brief(&self) -> Brief {
        Brief::new("blob", &[self.0.len()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(BLOB)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn raw(&self) -> Option<(Vec<u8>, &[u8])> {
        Some((Vec::new(), &self.0))
    }
}

/// A block without a codec.
struct Rooted;

impl Block for Rooted {
    fn nbytes(&self) -> usize {
        0
    }

    fn brief(&self) -> Brief {
        Brief::new("rooted", &[])
    }
}

/// What a task of a test does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Makes a blob of so many bytes, all of them the block's number, plus the first byte of each input.
    Blob(usize),
    /// Makes so many parts, each a blob of so many bytes: the k-th is full of k.
    Parts(u32, usize),
    /// The sum of the first bytes of all inputs.
    First,
    /// Computes for so many microseconds and gives 1 for each time.
    Spin(u64),
    /// Rests for so many microseconds and makes so many parts, or a blob if none, of so many bytes each: all of them depend on all bytes of all
    /// inputs.
    Mix {
        /// Parts.
        parts: u32,
        /// Bytes of each.
        bytes: usize,
        /// Microseconds in which nothing happens.
        micros: u64,
    },
    /// Makes a block that cannot leave its process.
    Stay,
    /// Fails.
    Fail,
    /// Panics.
    Panic,
    /// Connects to an address and waits until it is told to go on, or cut off; then adds its inputs and one.
    Wait(String),
    /// Like `Wait`, by name of an operation that the worker does not know.
    Unknown,
}

impl Kernel for Act {
    fn name(&self) -> &str {
        if matches!(self, Act::Unknown) { "testing.unknown" } else { ACT }
    }

    fn describe(&self) -> String {
        match self {
            Act::Blob(_) => "blob",
            Act::Parts(..) => "parts",
            Act::First => "first",
            Act::Spin(_) => "spin",
            Act::Mix { .. } => "mix",
            Act::Stay => "stay",
            Act::Fail => "fail",
            Act::Panic => "panic",
            Act::Wait(_) => "wait",
            Act::Unknown => "testing.unknown",
        }
        .into()
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let first = |value: &Value| match value {
            Value::I64(value) => Ok(*value),
            Value::Unit => Ok(0),
            value => Ok(value.get::<Blob>()?.0.first().copied().map_or(0, i64::from)),
        };
        let sum = inputs.iter().map(first).sum::<KernelResult<i64>>()?;
        Ok(match self {
            Act::Blob(bytes) => Value::block(Blob(vec![(task.block as i64 + sum) as u8; *bytes])),
            Act::Parts(parts, bytes) => {
                Value::Parts((0..*parts).map(|part| Value::block(Blob(vec![part as u8; *bytes]))).collect())
            }
            Act::First => Value::I64(sum),
            Act::Spin(micros) => {
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_micros(*micros) {
                    std::hint::spin_loop();
                }
                Value::I64(sum + 1)
            }
            &Act::Mix { parts, bytes, micros } => {
                std::thread::sleep(Duration::from_micros(micros));
                let mut rng = mixed(task.block, inputs)?;
                match parts {
                    0 => filled(&mut rng, bytes),
                    parts => Value::Parts((0..parts).map(|_| filled(&mut rng, bytes)).collect()),
                }
            }
            Act::Stay => Value::block(Rooted),
            Act::Fail => return Err(KernelError::new("failed as it was told to")),
            Act::Panic => std::panic::resume_unwind(Box::new("panicked as it was told to")),
            Act::Wait(address) => {
                let mut gate = TcpStream::connect(address).map_err(KernelError::from_source)?;
                // Whoever holds the gate writes or hangs up.
                let _ = gate.read(&mut [0]);
                Value::I64(sum + 1)
            }
            Act::Unknown => Value::Unit,
        })
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        postcard::to_stdvec(self)
            .map_err(|error| Error::NotPortable { operation: self.describe(), reason: error.to_string() })
    }
}

/// A generator whose seed is a block's number and all bytes of the inputs, in their order.
fn mixed(block: u64, inputs: &[Value]) -> KernelResult<Rng> {
    let mut seed = Rng::new(block).next_u64();
    for input in inputs {
        let read = Key::of(BLOB, &input.get::<Blob>()?.0).bits() as u64;
        seed = Rng::new(seed ^ read).next_u64();
    }
    Ok(Rng::new(seed))
}

fn filled(rng: &mut Rng, bytes: usize) -> Value {
    let mut blob = Vec::with_capacity(bytes + 8);
    while blob.len() < bytes {
        blob.extend_from_slice(&rng.next_u64().to_le_bytes());
    }
    blob.truncate(bytes);
    Value::block(Blob(blob))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_head_and_the_memory_are_the_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (registry, value) = (registry(), Value::block(Blob(bytes)));
            let mut whole = Vec::new();
            registry.encode_value(&value, &mut whole).unwrap();
            let Value::Block(block) = &value else { unreachable!("it was made one") };
            let mut pieces = registry.encode_head(&**block).unwrap();
            pieces.extend_from_slice(block.raw().unwrap().1);
            prop_assert_eq!(&pieces, &whole);
            let read = registry.read_value(&mut whole.as_slice()).unwrap();
            prop_assert_eq!(read.get::<Blob>().unwrap(), value.get::<Blob>().unwrap());
        }

        #[test]
        fn garbage_is_no_value(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = registry().read_value(&mut bytes.as_slice());
        }
    }
}
