//! What notebooks show of a frame.

use talatat_graph::format_bytes;

use super::Frame;
use crate::html::Card;

impl Frame {
    /// Columns, types, partitions and bytes as tables, as HTML.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let html = Frame::from_polars(df!("x" => [1_i64, 2]).unwrap(), 1).to_html();
    /// assert!(html.contains("<tr><td>x</td><td>i64</td></tr>") && html.contains("<tr><th>partitions</th><td>1</td></tr>"));
    /// ```
    pub fn to_html(&self) -> String {
        self.card().html()
    }

    /// Shows [`to_html`](Frame::to_html) in a notebook of the evcxr kernel, which calls this for the last value of a cell.
    pub fn evcxr_display(&self) {
        self.card().show();
    }

    fn card(&self) -> Card {
        let (node, each) = (&self.node, self.node.bytes());
        let about = if node.has_known_bytes() { "" } else { "about " };
        let total = each.saturating_mul(node.partitions as u64);
        let rows = node.facts.rows().map_or_else(|| "unknown".to_string(), |rows| rows.to_string());
        let columns = node.schema.iter().map(|(name, dtype)| vec![name.to_string(), dtype.to_string()]).collect();
        let mut card = Card::new("Frame")
            .fact("partitions", node.partitions.to_string())
            .fact("rows", rows)
            .fact(
                "bytes",
                format!("{about}{}, in partitions of up to {about}{}", format_bytes(total), format_bytes(each)),
            )
            .fact("made by", node.describe());
        card.table = Some((vec!["column".into(), "type".into()], columns));
        card
    }
}
