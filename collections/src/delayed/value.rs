//! Any Rust type as a task's result.

use std::any::Any;
use std::sync::Arc;

use talatat_graph::{Block, Brief, KernelError, KernelResult, Value};

use super::storable::{Encode, Encoded};

/// What a delayed call may return and take: any type that can be shared between threads and cloned.
///
/// A value that nobody else reads is handed over without a clone. Integers of 64 bits, `f64`, `bool` and `()` are kept
/// without an allocation.
pub trait Payload: Clone + Send + Sync + 'static {
    /// Wraps the value.
    fn into_value(self) -> Value;

    /// Takes the value out.
    ///
    /// # Errors
    /// If the value is of another type.
    fn from_value(value: Value) -> KernelResult<Self>;
}

struct Opaque<T> {
    value: T,
    /// How it is written as bytes, if somebody has said that it can be.
    encode: Option<Encode<T>>,
    /// Bytes that it takes, as far as that is known.
    nbytes: usize,
}

impl<T: Send + Sync + 'static> Block for Opaque<T> {
    fn nbytes(&self) -> usize {
        self.nbytes
    }

    fn brief(&self) -> Brief {
        Brief::new(std::any::type_name::<T>(), &[])
    }

    fn codec(&self) -> Option<&'static str> {
        self.encode.map(|_| Encoded::CODEC)
    }

    fn encode(&self, out: &mut Vec<u8>) -> KernelResult<()> {
        match self.encode {
            Some(encode) => encode(&self.value, out),
            None => Err(KernelError::new(format!("{} cannot be serialized", self.describe()))),
        }
    }
}

/// Whether values of this type are written as bytes without anybody saying how.
pub(super) fn is_scalar<T: 'static>() -> bool {
    use std::any::TypeId;
    [TypeId::of::<i64>(), TypeId::of::<f64>(), TypeId::of::<u64>(), TypeId::of::<bool>(), TypeId::of::<()>()]
        .contains(&TypeId::of::<T>())
}

/// Wraps a value that can be written as so many bytes.
pub(super) fn encodable<T: Payload>(value: T, encode: Encode<T>, written: usize) -> Value {
    if is_scalar::<T>() {
        return value.into_value();
    }
    Value::block(Opaque { value, encode: Some(encode), nbytes: size_of::<T>().max(written) })
}

impl<T: Clone + Send + Sync + 'static> Payload for T {
    #[inline]
    fn into_value(self) -> Value {
        // The type is known when this is compiled: one branch is left.
        let any: &dyn Any = &self;
        if let Some(&value) = any.downcast_ref::<i64>() {
            Value::I64(value)
        } else if let Some(&value) = any.downcast_ref::<f64>() {
            Value::F64(value)
        } else if let Some(&value) = any.downcast_ref::<u64>() {
            Value::U64(value)
        } else if let Some(&value) = any.downcast_ref::<bool>() {
            Value::Bool(value)
        } else if any.is::<()>() {
            Value::Unit
        } else {
            Value::block(Opaque { value: self, encode: None, nbytes: size_of::<T>() })
        }
    }

    #[inline]
    fn from_value(mut value: Value) -> KernelResult<T> {
        let scalar = match &value {
            Value::I64(value) => (value as &dyn Any).downcast_ref(),
            Value::F64(value) => (value as &dyn Any).downcast_ref(),
            Value::U64(value) => (value as &dyn Any).downcast_ref(),
            Value::Bool(value) => (value as &dyn Any).downcast_ref(),
            Value::Unit => (&() as &dyn Any).downcast_ref(),
            _ => None,
        };
        if let Some(value) = scalar {
            return Ok(T::clone(value));
        }
        if !matches!(value, Value::Block(_)) {
            return Err(KernelError::new(format!("expected a {}, got {value:?}", std::any::type_name::<T>())));
        }
        if let Value::Block(block) = &value
            && let Some(encoded) = (&**block as &dyn Any).downcast_ref::<Encoded>()
        {
            return encoded.decode();
        }
        Ok(match Arc::try_unwrap(value.take::<Opaque<T>>()?) {
            Ok(opaque) => opaque.value,
            Err(shared) => shared.value.clone(),
        })
    }
}
