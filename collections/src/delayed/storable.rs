//! Values of any type as bytes: for results that outlive the program, and for blocks that go to the disk.
//!
//! A task's result may be of any type, so bytes are read back in two steps: the [`Registry`] knows them as [`Encoded`], and whoever takes the
//! value out, and so knows its type, decodes them. How, was noted when the type was first said to be [`storable`](Delayed::storable).

use std::any::{Any, TypeId, type_name};
use std::panic::Location;
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::RwLock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use talatat_graph::{Block, Brief, KernelError, KernelResult, Key, Registry, Value};

use super::call::{Call, TaskNote};
use super::value::{Payload, encodable};
use super::{Delayed, Node};

/// Appends a value's bytes.
pub(super) type Encode<T> = fn(&T, &mut Vec<u8>) -> KernelResult<()>;
type Decode<T> = fn(&[u8]) -> KernelResult<T>;

/// The [`Decode`]s of the types that were said to be storable.
static DECODERS: RwLock<Option<HashMap<TypeId, Box<dyn Any + Send + Sync>>>> = RwLock::new(None);

pub(crate) fn register(registry: Registry) -> Registry {
    registry.block(Encoded::CODEC, |bytes| Ok(Arc::new(Encoded { bytes: bytes.to_vec() })))
}

/// A value as bytes: the name of its type and what serde makes of it, in postcard's format.
pub(super) struct Encoded {
    bytes: Vec<u8>,
}

impl Encoded {
    pub(super) const CODEC: &str = "delayed.value";

    /// The value.
    ///
    /// # Errors
    /// If it is of another type, or nobody has said how values of this type are read.
    pub(super) fn decode<T: 'static>(&self) -> KernelResult<T> {
        let decoders = DECODERS.read();
        let decode = decoders.as_ref().and_then(|decoders| decoders.get(&TypeId::of::<T>()));
        let decode = decode.and_then(|decode| decode.downcast_ref::<Decode<T>>()).copied().ok_or_else(|| {
            let name = type_name::<T>();
            KernelError::new(format!("this program has not said how a {name} is read from bytes: say `.storable()`"))
        })?;
        drop(decoders);
        decode(&self.bytes)
    }
}

impl Block for Encoded {
    fn nbytes(&self) -> usize {
        self.bytes.len()
    }

    fn brief(&self) -> Brief {
        Brief::new("value", &[self.bytes.len()])
    }

    fn codec(&self) -> Option<&'static str> {
        Some(Encoded::CODEC)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        out.extend(&self.bytes);
        Ok(())
    }
}

fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> KernelResult<()> {
    let cannot = |error| KernelError::new(format!("a {} cannot be written as bytes: {error}", type_name::<T>()));
    *out = postcard::to_extend(&(type_name::<T>(), value), std::mem::take(out)).map_err(cannot)?;
    Ok(())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> KernelResult<T> {
    let wanted = type_name::<T>();
    let cannot = |error| KernelError::new(format!("bytes that should be a {wanted} cannot be read: {error}"));
    let (name, rest) = postcard::take_from_bytes::<&str>(bytes).map_err(cannot)?;
    if name != wanted {
        return Err(KernelError::new(format!("expected a {wanted}, got a {name}")));
    }
    postcard::from_bytes(rest).map_err(cannot)
}

impl<T: Payload + Serialize + DeserializeOwned> Delayed<T> {
    /// The same value, which can also be written as bytes: to a store by `persist_to`, to the disk when memory is
    /// short. Not needed for `i64`, `u64`, `f64`, `bool` and `()`.
    ///
    /// What is read back must have been written by the same type: when its fields change, change the version of the functions that give it.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let words = delayed(|text: String| text.split(' ').map(String::from).collect::<Vec<_>>());
    /// let words = words.call("a b".to_string()).storable().persist_to("memory://docs/words")?;
    /// assert_eq!(words.compute()?, ["a", "b"]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn storable(&self) -> Delayed<T> {
        let decode: Decode<T> = decode;
        DECODERS.write().get_or_insert_default().entry(TypeId::of::<T>()).or_insert_with(|| Box::new(decode));
        Delayed::from_node(Node::new(Storable {
            key: self.key().combine(Key::of(NAME, type_name::<T>().as_bytes()).bits()),
            input: self.node.clone(),
            wrap: |value| {
                let value = T::from_value(value)?;
                // Serde knows what lies behind pointers: about as much memory as bytes.
                let written = postcard::experimental::serialized_size(&value).unwrap_or(0);
                Ok(encodable(value, encode, written))
            },
            bytes: self.node.bytes(),
            location: Location::caller(),
            task: TaskNote::new(),
        }))
    }
}

const NAME: &str = "storable";

/// Adds to a value how it is written.
struct Storable {
    key: Key,
    input: Node,
    wrap: fn(Value) -> KernelResult<Value>,
    bytes: u64,
    location: &'static Location<'static>,
    task: TaskNote,
}

impl Call for Storable {
    fn key(&self) -> Key {
        self.key
    }

    fn function(&self) -> Key {
        Key::of(NAME, &[])
    }

    fn name(&self) -> &str {
        NAME
    }

    fn location(&self) -> &'static Location<'static> {
        self.location
    }

    fn inputs<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(&self.input);
    }

    fn run(&self, inputs: &mut [Value]) -> KernelResult<Value> {
        let input = inputs.first_mut().ok_or_else(|| KernelError::new("an argument is missing"))?;
        (self.wrap)(std::mem::take(input))
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn lasts(&self) -> bool {
        self.input.lasts()
    }

    fn content(&self) -> KernelResult<Key> {
        // It changes nothing: what it is of, the input says.
        Ok(Key::of(NAME, &[]))
    }

    fn is_storable(&self) -> bool {
        true
    }

    fn task(&self) -> &TaskNote {
        &self.task
    }

    fn weight(&self) -> u32 {
        self.input.weight().saturating_add(1)
    }
}
