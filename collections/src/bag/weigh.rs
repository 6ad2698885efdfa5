//! How many bytes items hold beside themselves.

use std::any::Any;
use std::sync::Arc;

/// What is known of the memory that items of a type own beside their own bytes.
pub(crate) enum Weigh<T> {
    /// They own none.
    Flat,
    /// Each says how much.
    Each(Arc<dyn Fn(&T) -> usize + Send + Sync>),
    /// They own some, and nobody says how much: it is not counted.
    Unknown,
}

impl<T> Clone for Weigh<T> {
    fn clone(&self) -> Self {
        match self {
            Weigh::Flat => Weigh::Flat,
            Weigh::Each(of) => Weigh::Each(of.clone()),
            Weigh::Unknown => Weigh::Unknown,
        }
    }
}

/// What an item whose memory is not known yet is taken to own, for plans.
const GUESS: u64 = 32;

impl<T: 'static> Weigh<T> {
    /// What the type itself tells: what need not be dropped owns nothing, and the usual owners are in a table.
    pub(crate) fn known() -> Weigh<T> {
        if !std::mem::needs_drop::<T>() {
            return Weigh::Flat;
        }
        table::<T>().map_or(Weigh::Unknown, |of| Weigh::Each(Arc::new(of)))
    }

    /// Bytes that the items own beside their own.
    pub(crate) fn beside(&self, items: &[T]) -> usize {
        match self {
            Weigh::Each(of) => items.iter().map(|item| of(item)).sum(),
            Weigh::Flat | Weigh::Unknown => 0,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Weigh::Unknown)
    }

    /// Bytes that an item is taken to need before one has been seen.
    pub(crate) fn guess(&self) -> u64 {
        let beside = if matches!(self, Weigh::Flat) { 0 } else { GUESS };
        size_of::<T>() as u64 + beside
    }

    /// The weight of something that holds one of these and one of those.
    pub(crate) fn with<U: 'static, B: 'static>(
        &self,
        other: &Weigh<U>,
        parts: impl Fn(&B) -> (&T, &U) + Send + Sync + 'static,
    ) -> Weigh<B> {
        if let (Weigh::Flat, Weigh::Flat) = (self, other) {
            return Weigh::Flat;
        }
        let (one, other) = (self.clone(), other.clone());
        Weigh::Each(Arc::new(move |both| {
            let (a, b) = parts(both);
            one.beside(std::slice::from_ref(a)) + other.beside(std::slice::from_ref(b))
        }))
    }

    /// The weight of vectors of them.
    pub(crate) fn listed(&self) -> Weigh<Vec<T>> {
        let one = self.clone();
        Weigh::Each(Arc::new(move |list: &Vec<T>| list.capacity() * size_of::<T>() + one.beside(list)))
    }
}

/// Memory that a value owns.
trait Heap {
    fn heap(&self) -> usize;
}

macro_rules! flat {
    ($($type:ty),*) => {$(
        impl Heap for $type {
            fn heap(&self) -> usize {
                0
            }
        }
    )*};
}

flat!(bool, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64);

impl Heap for String {
    fn heap(&self) -> usize {
        self.capacity()
    }
}

impl<T: Heap> Heap for Vec<T> {
    fn heap(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Heap::heap).sum::<usize>()
    }
}

impl<T: Heap> Heap for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Heap::heap)
    }
}

impl<A: Heap, B: Heap> Heap for (A, B) {
    fn heap(&self) -> usize {
        self.0.heap() + self.1.heap()
    }
}

impl Heap for serde_json::Value {
    fn heap(&self) -> usize {
        match self {
            serde_json::Value::String(text) => text.heap(),
            serde_json::Value::Array(items) => items.heap(),
            serde_json::Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| size_of::<(String, serde_json::Value)>() + name.capacity() + value.heap())
                .sum(),
            _ => 0,
        }
    }
}

/// The function of a type that is in the table.
fn table<T: 'static>() -> Option<fn(&T) -> usize> {
    fn choose<H: Heap + 'static, T: 'static>() -> Option<fn(&T) -> usize> {
        let of: fn(&H) -> usize = H::heap;
        (&of as &dyn Any).downcast_ref::<fn(&T) -> usize>().copied()
    }
    macro_rules! any_of {
        ($($owner:ty),*; $($leaf:ty),*) => {
            None$(.or_else(choose::<$owner, T>))*$(
                .or_else(choose::<Vec<$leaf>, T>)
                .or_else(choose::<(String, $leaf), T>)
                .or_else(choose::<($leaf, String), T>)
                .or_else(choose::<(String, Vec<$leaf>), T>)
                .or_else(choose::<($leaf, Vec<$leaf>), T>)
            )*
        };
    }
    any_of!(
        String, serde_json::Value, Option<String>, Vec<serde_json::Value>, (String, serde_json::Value);
        String, bool, u8, u32, u64, usize, i32, i64, f32, f64
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_owners_are_known() {
        assert!(matches!(Weigh::<(u8, [f64; 3])>::known(), Weigh::Flat));
        assert!(!Weigh::<std::rc::Rc<u8>>::known().is_known());
        let text = |bytes| String::with_capacity(bytes);
        assert_eq!(Weigh::known().beside(&[text(10), text(20)]), 30);
        assert_eq!(Weigh::known().beside(&[(text(10), 1_u64)]), 10);
        assert_eq!(Weigh::known().beside(&[vec![text(10)]]), 10 + size_of::<String>());
        let json: serde_json::Value = serde_json::from_str(r#"{"a": ["xyz"]}"#).unwrap();
        assert!(Weigh::known().beside(&[json]) >= 4);
    }

    #[test]
    fn what_holds_them_is_composed() {
        let pair: Weigh<(u64, String, u8)> =
            Weigh::<String>::known().with(&Weigh::<u8>::known(), |(_, text, flat)| (text, flat));
        assert_eq!(pair.beside(&[(1, String::with_capacity(7), 2)]), 7);
        let lists = Weigh::<String>::known().listed();
        assert_eq!(lists.beside(&[vec![String::with_capacity(7)]]), 7 + size_of::<String>());
    }
}
