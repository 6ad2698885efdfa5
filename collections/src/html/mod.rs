//! How handles look in notebooks: tables and pictures of plain facts, as HTML. Knows no array, no frame, no graph.
//!
//! Notebooks of the evcxr kernel call a method `evcxr_display` on the last value of a cell; it prints the content between two marks. Colours are
//! those of the page, so that it can be read in light and dark ones.

#[cfg(any(feature = "array", test))]
mod picture;

use std::fmt::Write;

#[cfg(feature = "array")]
pub(crate) use picture::{Cuts, grid};

/// Rows of a table that are shown; the others are counted.
const ROWS: usize = 60;

/// What a notebook shows of a handle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Card {
    /// What it is: `Array<float64>`.
    pub(crate) title: String,
    /// The heads of the facts' columns, if they have any.
    pub(crate) heads: Vec<String>,
    /// Facts: a name, and a value for each column.
    pub(crate) facts: Vec<(String, Vec<String>)>,
    /// A table of its own below: heads and rows.
    pub(crate) table: Option<(Vec<String>, Vec<Vec<String>>)>,
    /// A picture beside the facts: SVG, which is taken as it is.
    pub(crate) picture: Option<String>,
}

impl Card {
    pub(crate) fn new(title: impl Into<String>) -> Card {
        Card { title: title.into(), ..Card::default() }
    }

    /// Adds a fact with one value.
    pub(crate) fn fact(mut self, name: &str, value: impl Into<String>) -> Card {
        self.facts.push((name.into(), vec![value.into()]));
        self
    }

    /// The card as HTML: no script, no style sheet, nothing from elsewhere; all texts escaped.
    pub(crate) fn html(&self) -> String {
        let mut html =
            format!("<div><b>{}</b><div style=\"display:flex;gap:24px;flex-wrap:wrap\">\n", escaped(&self.title));
        if !self.facts.is_empty() {
            html += "<table>\n";
            if !self.heads.is_empty() {
                html += "<tr><th></th>";
                self.heads.iter().for_each(|head| cell(&mut html, "th", head));
                html += "</tr>\n";
            }
            for (name, values) in &self.facts {
                html += "<tr>";
                cell(&mut html, "th", name);
                values.iter().for_each(|value| cell(&mut html, "td", value));
                html += "</tr>\n";
            }
            html += "</table>\n";
        }
        if let Some((heads, rows)) = &self.table {
            html += "<table>\n<tr>";
            heads.iter().for_each(|head| cell(&mut html, "th", head));
            html += "</tr>\n";
            for row in rows.iter().take(ROWS) {
                html += "<tr>";
                row.iter().for_each(|value| cell(&mut html, "td", value));
                html += "</tr>\n";
            }
            let more = rows.len().saturating_sub(ROWS);
            if more > 0 {
                let _ = writeln!(html, "<tr><td colspan=\"{}\">and {more} more</td></tr>", heads.len().max(1));
            }
            html += "</table>\n";
        }
        if let Some(picture) = &self.picture {
            let _ = writeln!(html, "<div>{picture}</div>");
        }
        html + "</div></div>"
    }

    /// Prints the card for a notebook.
    pub(crate) fn show(&self) {
        println!("{}", content(&self.html()));
    }
}

/// HTML between the marks by which evcxr knows it.
fn content(html: &str) -> String {
    format!("EVCXR_BEGIN_CONTENT text/html\n{html}\nEVCXR_END_CONTENT")
}

fn cell(html: &mut String, tag: &str, text: &str) {
    let _ = write!(html, "<{tag}>{}</{tag}>", escaped(text));
}

/// A text as HTML and XML hold it, between tags and in attributes; characters that XML does not know become question marks.
#[doc(hidden)]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            control if control.is_control() || matches!(control, '\u{FFFE}' | '\u{FFFF}') => out.push('?'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_table_and_picture() {
        let card = Card {
            heads: vec!["array".into(), "block".into()],
            facts: vec![("bytes".into(), vec!["8 B".into(), "4 B".into()])],
            table: Some((vec!["column".into(), "type".into()], vec![vec!["x".into(), "i64".into()]])),
            picture: Some("<svg></svg>".into()),
            ..Card::new("Thing").fact("key", "7")
        };
        insta::assert_snapshot!(content(&card.html()), @r#"
        EVCXR_BEGIN_CONTENT text/html
        <div><b>Thing</b><div style="display:flex;gap:24px;flex-wrap:wrap">
        <table>
        <tr><th></th><th>array</th><th>block</th></tr>
        <tr><th>bytes</th><td>8 B</td><td>4 B</td></tr>
        </table>
        <table>
        <tr><th>column</th><th>type</th></tr>
        <tr><td>x</td><td>i64</td></tr>
        </table>
        <div><svg></svg></div>
        </div></div>
        EVCXR_END_CONTENT
        "#);
    }

    #[test]
    fn texts_are_escaped() {
        let evil = "<script>alert('1')</script> & \"more\"";
        let card =
            Card { table: Some((vec![evil.into()], vec![vec![evil.into()]])), ..Card::new(evil).fact(evil, evil) };
        let html = card.html();
        assert!(!html.contains("<script") && !html.contains("alert('"), "{html}");
        assert_eq!(escaped("a\n\u{1}b"), "a ?b");
        assert_eq!(html.matches("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;more&quot;").count(), 5);
    }

    #[test]
    fn long_tables_are_cut() {
        let rows = (0..100).map(|row| vec![row.to_string()]).collect();
        let html = Card { table: Some((vec!["n".into()], rows)), ..Card::new("long") }.html();
        assert!(html.contains("and 40 more") && !html.contains("<td>60</td>"));
    }
}
