//! What notebooks show of a delayed value.

use super::{Delayed, Payload};
use crate::html::Card;

impl<T: Payload> Delayed<T> {
    /// The call's name, type and place as a small table, as HTML.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let html = delayed(|x: i64| x + 1).named("a < b").call(1_i64).to_html();
    /// assert!(html.contains("<b>Delayed&lt;i64&gt;</b>") && html.contains("<td>a &lt; b</td>"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn to_html(&self) -> String {
        self.card().html()
    }

    /// Shows [`to_html`](Delayed::to_html) in a notebook of the evcxr kernel, which calls this for the last value of a cell.
    pub fn evcxr_display(&self) {
        self.card().show();
    }

    fn card(&self) -> Card {
        let place = self.node.location();
        let mut inputs = 0_usize;
        self.node.inputs(&mut |_| inputs += 1);
        Card::new(format!("Delayed<{}>", std::any::type_name::<T>()))
            .fact("call", self.node.name())
            .fact("called at", format!("{}:{}", place.file(), place.line()))
            .fact("reads", format!("{inputs} delayed values"))
            .fact("key", self.node.key().to_string())
    }
}
