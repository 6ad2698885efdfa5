//! Arrays through the public API, on every executor, against NumPy's answers and eager `ndarray`.

mod fixtures;
mod oracle;
mod properties;
