//! What notebooks show of an array.

use talatat_graph::format_bytes;

use super::dtype::Element;
use super::grid::{Axis, shape_text};
use super::handle::Array;
use crate::html::{Card, Cuts, grid};

impl<T: Element> Array<T> {
    /// Shape, chunks, type and bytes as a table, with a picture of the chunk grid, as HTML: one axis is a bar, two are a sheet, three a box, and more
    /// several pictures. Lengths are drawn by their square roots; of more than 40 cuts of an axis only some are drawn.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([1000, 200]).rechunk([250, 200])?;
    /// let html = x.to_html();
    /// assert!(html.contains("<td>(1000, 200)</td><td>(250, 200)</td>") && html.contains("<svg"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn to_html(&self) -> String {
        self.card().html()
    }

    /// Shows [`to_html`](Array::to_html) in a notebook of the evcxr kernel, which calls this for the last value of a cell.
    pub fn evcxr_display(&self) {
        self.card().show();
    }

    fn card(&self) -> Card {
        let title = format!("Array<{}>", T::DTYPE);
        let expr = match self.expr() {
            Ok(expr) => expr,
            Err(error) => return Card::new(title).fact("error", error.to_string()),
        };
        let axes = expr.grid.axes();
        let longest: Vec<String> =
            axes.iter().map(|axis| axis.longest().map_or_else(|| "?".into(), |length| length.to_string())).collect();
        let block = format!("({}{})", longest.join(", "), if longest.len() == 1 { "," } else { "" });
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".into(), format_bytes);
        let largest = expr.grid.is_known().then(|| expr.grid.largest_block(0) as u64 * T::DTYPE.size() as u64);
        let counts = expr.grid.chunk_counts().iter().map(usize::to_string).collect::<Vec<_>>().join(" x ");
        let blocks = expr.grid.blocks();
        let blocks = if axes.len() > 1 { format!("{blocks} ({counts})") } else { blocks.to_string() };
        let cuts = |axis: &Axis| Cuts { lengths: axis.lengths(), chunks: axis.chunks() };
        let both = |name: &str, of_all: String, of_block: String| (name.to_string(), vec![of_all, of_block]);
        let mut card = Card {
            heads: vec!["array".into(), "largest block".into()],
            facts: vec![
                both("bytes", bytes(self.nbytes()), bytes(largest)),
                both("shape", shape_text(&expr.grid), block),
            ],
            picture: Some(grid(&axes.iter().map(cuts).collect::<Vec<_>>())),
            ..Card::new(title)
        };
        card = card.fact("blocks", blocks).fact("type", T::DTYPE.to_string());
        card.fact("made by", expr.op.describe())
    }
}

#[cfg(test)]
mod tests {
    use crate::array::{from_ndarray, ones};

    #[test]
    fn an_array_and_an_error() {
        let x = ones::<f32>([6]).rechunk([4]).unwrap();
        let html = x.to_html();
        assert!(html.contains("<tr><th>shape</th><td>(6,)</td><td>(4,)</td></tr>"), "{html}");
        assert!(html.contains("<tr><th>bytes</th><td>24 B</td><td>16 B</td></tr>"), "{html}");
        assert!(html.contains("<tr><th>blocks</th><td>2</td></tr>") && html.contains("float32"), "{html}");
        let wrong = ones::<f64>([3]) + ones::<f64>([4]);
        assert!(wrong.to_html().contains("<th>error</th>"));
    }

    #[test]
    fn lengths_that_are_not_known() {
        let x = from_ndarray(ndarray::arr1(&[1.0, -1.0, 2.0, -2.0]), 2).unwrap();
        let mask = from_ndarray(ndarray::arr1(&[true, false, true, false]), 2).unwrap();
        let html = x.filter(&mask).unwrap().to_html();
        assert!(html.contains("<td>unknown</td>") && html.contains("stroke-dasharray"), "{html}");
    }
}
