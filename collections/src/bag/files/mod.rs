//! Text and JSON lines, in and out.

mod json;
mod lines;
mod text;
mod unpack;
mod write;

pub use json::{JsonLinesOptions, Skipped, read_json_lines};
pub use text::{TextOptions, read_text};
pub use write::BagWrite;
