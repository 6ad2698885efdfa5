//! Blocks with borders: against eager `ndarray` in random chunks, and what their graphs look like.

mod graphs;
mod properties;
