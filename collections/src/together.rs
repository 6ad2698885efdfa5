//! Several collections as one: tuples, vectors and slices are computed, explained and drawn as a whole.

use talatat_graph::{Edge, Error as GraphError, Value};

use crate::collection::Collection;
use crate::error::Result;
use crate::lower::Lowering;

/// Lowers one of several collections and checks that it makes the blocks that it will be given back.
fn lower_one<C: Collection>(collection: &C, lowering: &mut Lowering, edges: &mut Vec<Edge>) -> Result<()> {
    let made = collection.lower(lowering)?;
    let promised = collection.blocks()?;
    if made.len() != promised {
        let reason = format!("a collection of {promised} blocks made {}", made.len());
        return Err(GraphError::InvalidGraph(reason).into());
    }
    edges.extend(made);
    Ok(())
}

/// Looks at the blocks of the next collection, which stand in front, and moves past them.
fn look_at<C: Collection>(
    collection: &C,
    lowering: &mut Lowering,
    blocks: &mut &[Edge],
    looks: &mut Vec<Edge>,
) -> Result<()> {
    let count = collection.blocks()?;
    let (own, others) = blocks
        .split_at_checked(count)
        .ok_or_else(|| GraphError::InvalidGraph(format!("a collection of {count} blocks made {}", blocks.len())))?;
    looks.extend(collection.looks(lowering, own)?);
    *blocks = others;
    Ok(())
}

/// The blocks of the next collection.
fn next<C: Collection>(collection: &C, blocks: &mut impl Iterator<Item = Value>) -> Result<Vec<Value>> {
    Ok(blocks.by_ref().take(collection.blocks()?).collect())
}

impl<C: Collection> Collection for [C] {
    type Output = Vec<C::Output>;
    type Persisted = Vec<C::Persisted>;

    fn blocks(&self) -> Result<usize> {
        self.iter().map(C::blocks).sum()
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        self.iter().try_for_each(|collection| collection.announce(lowering))
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        let mut edges = Vec::new();
        self.announce(lowering)?;
        self.iter().try_for_each(|collection| lower_one(collection, lowering, &mut edges))?;
        Ok(edges)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<Self::Output> {
        let mut blocks = blocks.into_iter();
        self.iter().map(|collection| collection.gather(next(collection, &mut blocks)?)).collect()
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self::Persisted> {
        let mut blocks = blocks.into_iter();
        self.iter().map(|collection| collection.persisted(next(collection, &mut blocks)?)).collect()
    }

    fn looks(&self, lowering: &mut Lowering, mut blocks: &[Edge]) -> Result<Vec<Edge>> {
        let mut looks = Vec::new();
        self.iter().try_for_each(|collection| look_at(collection, lowering, &mut blocks, &mut looks))?;
        Ok(looks)
    }

    fn persisted_seen(&self, blocks: Vec<Value>, seen: &mut dyn Iterator<Item = Value>) -> Result<Self::Persisted> {
        let mut blocks = blocks.into_iter();
        self.iter().map(|collection| collection.persisted_seen(next(collection, &mut blocks)?, seen)).collect()
    }

    fn check_storable(&self) -> Result<()> {
        self.iter().try_for_each(C::check_storable)
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        self.iter().map(|collection| collection.describe_expression(rewritten)).collect()
    }

    fn describe_lowered(&self, lowering: &Lowering) -> String {
        self.iter().map(|collection| collection.describe_lowered(lowering)).collect()
    }
}

/// A collection behind something that leads to it is the collection.
macro_rules! behind {
    ($([$($generics:tt)*] $outer:ty => $inner:ty;)*) => {$(
        impl<$($generics)*> Collection for $outer {
            type Output = <$inner as Collection>::Output;
            type Persisted = <$inner as Collection>::Persisted;

            fn blocks(&self) -> Result<usize> {
                <$inner>::blocks(self)
            }

            fn announce(&self, lowering: &mut Lowering) -> Result<()> {
                <$inner>::announce(self, lowering)
            }

            fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
                <$inner>::lower(self, lowering)
            }

            fn gather(&self, blocks: Vec<Value>) -> Result<Self::Output> {
                <$inner>::gather(self, blocks)
            }

            fn persisted(&self, blocks: Vec<Value>) -> Result<Self::Persisted> {
                <$inner>::persisted(self, blocks)
            }

            fn looks(&self, lowering: &mut Lowering, blocks: &[Edge]) -> Result<Vec<Edge>> {
                <$inner>::looks(self, lowering, blocks)
            }

            fn persisted_seen(
                &self,
                blocks: Vec<Value>,
                seen: &mut dyn Iterator<Item = Value>,
            ) -> Result<Self::Persisted> {
                <$inner>::persisted_seen(self, blocks, seen)
            }

            fn check_storable(&self) -> Result<()> {
                <$inner>::check_storable(self)
            }

            fn describe_expression(&self, rewritten: bool) -> String {
                <$inner>::describe_expression(self, rewritten)
            }

            fn describe_lowered(&self, lowering: &Lowering) -> String {
                <$inner>::describe_lowered(self, lowering)
            }
        }
    )*};
}

behind! {
    [C: Collection + ?Sized] &C => C;
    [C: Collection] Vec<C> => [C];
    [C: Collection, const N: usize] [C; N] => [C];
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*);)*) => {$(
        impl<$($name: Collection),*> Collection for ($($name,)*) {
            type Output = ($($name::Output,)*);
            type Persisted = ($($name::Persisted,)*);

            fn blocks(&self) -> Result<usize> {
                Ok(0 $(+ self.$index.blocks()?)*)
            }

            fn announce(&self, lowering: &mut Lowering) -> Result<()> {
                $(self.$index.announce(lowering)?;)*
                Ok(())
            }

            fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
                let mut edges = Vec::new();
                self.announce(lowering)?;
                $(lower_one(&self.$index, lowering, &mut edges)?;)*
                Ok(edges)
            }

            fn gather(&self, blocks: Vec<Value>) -> Result<Self::Output> {
                let mut blocks = blocks.into_iter();
                Ok(($(self.$index.gather(next(&self.$index, &mut blocks)?)?,)*))
            }

            fn persisted(&self, blocks: Vec<Value>) -> Result<Self::Persisted> {
                let mut blocks = blocks.into_iter();
                Ok(($(self.$index.persisted(next(&self.$index, &mut blocks)?)?,)*))
            }

            fn looks(&self, lowering: &mut Lowering, mut blocks: &[Edge]) -> Result<Vec<Edge>> {
                let mut looks = Vec::new();
                $(look_at(&self.$index, lowering, &mut blocks, &mut looks)?;)*
                Ok(looks)
            }

            fn persisted_seen(
                &self,
                blocks: Vec<Value>,
                seen: &mut dyn Iterator<Item = Value>,
            ) -> Result<Self::Persisted> {
                let mut blocks = blocks.into_iter();
                Ok(($(self.$index.persisted_seen(next(&self.$index, &mut blocks)?, seen)?,)*))
            }

            fn check_storable(&self) -> Result<()> {
                $(self.$index.check_storable()?;)*
                Ok(())
            }

            fn describe_expression(&self, rewritten: bool) -> String {
                [$(self.$index.describe_expression(rewritten)),*].concat()
            }

            fn describe_lowered(&self, lowering: &Lowering) -> String {
                [$(self.$index.describe_lowered(lowering)),*].concat()
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}
