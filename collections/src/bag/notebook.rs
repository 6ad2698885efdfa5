//! What notebooks show of a bag.

use super::Bag;
use crate::delayed::Payload;
use crate::html::Card;

impl<T: Payload> Bag<T> {
    /// Items' type, partitions and the last step as a small table, as HTML.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let html = Bag::from_sequence(["a", "b", "c"], 2).to_html();
    /// assert!(html.contains("<tr><th>partitions</th><td>2</td></tr>"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn to_html(&self) -> String {
        self.card().html()
    }

    /// Shows [`to_html`](Bag::to_html) in a notebook of the evcxr kernel, which calls this for the last value of a cell.
    pub fn evcxr_display(&self) {
        self.card().show();
    }

    fn card(&self) -> Card {
        let place = self.node.location;
        Card::new(format!("Bag<{}>", std::any::type_name::<T>()))
            .fact("partitions", self.node.partitions.to_string())
            .fact("made by", self.node.name.clone())
            .fact("called at", format!("{}:{}", place.file(), place.line()))
    }
}
