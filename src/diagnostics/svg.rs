//! Graphs as SVG, without graphviz: boxes in rows by their distance from the sources, as Sugiyama, Tagawa and Toda lay out
//! hierarchies ("Methods for visual understanding of hierarchical system structures", 1981), with barycentres for the order in a row.

use std::fmt::Write;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use talatat_collections::escaped;
use talatat_graph::TaskGraph;

use super::picture::{Picture, picture};
use super::{COLOURS, clip};

/// Sizes in pixels.
const CHARACTER: f64 = 7.2;
const HEIGHT: f64 = 40.0;
const BETWEEN: f64 = 18.0;
const ROWS: f64 = 64.0;
const MARGIN: f64 = 30.0;
/// Sweeps over the rows, the last one upwards: readers stand above the middle of what they read. More change little.
const SWEEPS: usize = 9;

/// A graph as an SVG picture: the same boxes and arrows as [`dot`](super::dot()) gives.
///
/// ```
/// use talatat::graph::testing::tree_graph;
/// let text = talatat::diagnostics::svg(&tree_graph(2, 2));
/// assert_eq!(text.matches("rx=").count(), 3);
/// ```
pub fn svg(graph: &TaskGraph) -> String {
    of_picture(&picture(graph, &[]))
}

/// A picture that is ready to be drawn. The boxes carry their numbers, for whoever wants to do something with them.
pub(super) fn of_picture(picture: &Picture) -> String {
    let layout = Layout::new(picture);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = draw(&mut text, picture, &layout);
    text
}

/// Where the boxes are: their middles across, their rows, their widths.
struct Layout {
    rows: Vec<Vec<NodeIndex>>,
    row_of: Vec<usize>,
    x: Vec<f64>,
    width: Vec<f64>,
}

impl Layout {
    fn new(picture: &Picture) -> Layout {
        let mut ranks: Vec<u32> = picture.node_weights().map(|node| node.rank).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let mut rows = vec![Vec::new(); ranks.len()];
        let mut row_of = vec![0; picture.node_count()];
        for node in picture.node_indices() {
            let row = ranks.binary_search(&picture[node].rank).unwrap_or(0);
            row_of[node.index()] = row;
            rows[row].push(node);
        }
        let width = picture.node_weights().map(|node| {
            let characters = clip(&node.title).chars().count().max(node.detail.chars().count());
            characters as f64 * CHARACTER + 16.0
        });
        let mut layout = Layout { rows, row_of, x: vec![0.0; picture.node_count()], width: width.collect() };
        layout.arrange(picture);
        layout
    }

    /// Moves each row below its neighbours, upwards and downwards in turn.
    fn arrange(&mut self, picture: &Picture) {
        for row in 0..self.rows.len() {
            let wanted = vec![0.0; self.rows[row].len()];
            self.place(row, &wanted);
        }
        for sweep in 0..SWEEPS {
            let upwards = sweep % 2 == 0;
            for step in 0..self.rows.len() {
                let row = if upwards { step } else { self.rows.len() - 1 - step };
                let towards = if upwards { Direction::Incoming } else { Direction::Outgoing };
                let mean = |node: NodeIndex| {
                    let (mut sum, mut count) = (0.0, 0);
                    for other in picture.neighbors_directed(node, towards).filter(|other| *other != node) {
                        sum += self.x[other.index()];
                        count += 1;
                    }
                    if count == 0 { self.x[node.index()] } else { sum / f64::from(count) }
                };
                let mut wanted: Vec<(f64, NodeIndex)> = self.rows[row].iter().map(|&node| (mean(node), node)).collect();
                wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.rows[row] = wanted.iter().map(|(_, node)| *node).collect();
                let wanted: Vec<f64> = wanted.into_iter().map(|(x, _)| x).collect();
                self.place(row, &wanted);
            }
        }
        let left = picture.node_indices().map(|node| self.x[node.index()] - self.width[node.index()] / 2.0);
        let left = left.fold(f64::INFINITY, f64::min);
        self.x.iter_mut().for_each(|x| *x += MARGIN - left);
    }

    /// Puts a row's boxes side by side, as near to where they want to be as their order allows on the whole.
    fn place(&mut self, row: usize, wanted: &[f64]) {
        let (mut end, mut off) = (f64::NEG_INFINITY, 0.0);
        for (&node, &want) in self.rows[row].iter().zip(wanted) {
            let half = self.width[node.index()] / 2.0;
            let x = want.max(end + BETWEEN + half);
            off += x - want;
            end = x + half;
            self.x[node.index()] = x;
        }
        let shift = off / wanted.len().max(1) as f64;
        self.rows[row].iter().for_each(|node| self.x[node.index()] -= shift);
    }

    /// The upper edge of a box. Data flows upwards: the sources are at the bottom.
    fn y(&self, node: NodeIndex) -> f64 {
        MARGIN + (self.rows.len() - 1 - self.row_of[node.index()]) as f64 * (HEIGHT + ROWS)
    }

    fn size(&self) -> (f64, f64) {
        let right = self.x.iter().zip(&self.width).map(|(x, width)| x + width / 2.0);
        let rows = self.rows.len() as f64;
        (right.fold(MARGIN, f64::max) + MARGIN, (rows * (HEIGHT + ROWS) - ROWS).max(0.0) + 2.0 * MARGIN)
    }
}

fn draw(text: &mut String, picture: &Picture, layout: &Layout) -> std::fmt::Result {
    let (width, height) = layout.size();
    writeln!(
        text,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="monospace" font-size="12" text-anchor="middle">
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>
<rect width="100%" height="100%" fill="white"/>"##
    )?;
    for edge in picture.edge_references() {
        let (from, to) = (edge.source(), edge.target());
        let (x1, x2) = (layout.x[from.index()], layout.x[to.index()]);
        let (y1, y2) = (layout.y(from), layout.y(to) + HEIGHT);
        let path = if from == to {
            let (x, y) = (x1 + layout.width[from.index()] / 2.0, y1 + HEIGHT / 2.0);
            format!("M{x:.1} {:.1}c22 -14 22 26 0 12", y - 6.0)
        } else {
            let bend = ROWS / 2.0;
            format!("M{x1:.1} {y1:.1}C{x1:.1} {:.1} {x2:.1} {:.1} {x2:.1} {y2:.1}", y1 - bend, y2 + bend)
        };
        writeln!(text, r##"<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>"##)?;
        if !edge.weight().0.is_empty() && from != to {
            let (x, y) = ((x1 + x2) / 2.0, (y1 + y2) / 2.0);
            writeln!(
                text,
                r##"<text x="{x:.1}" y="{y:.1}" font-size="10" fill="#555">{}</text>"##,
                escaped(&edge.weight().0)
            )?;
        }
    }
    for node in picture.node_indices() {
        let (weight, width) = (&picture[node], layout.width[node.index()]);
        let (x, y) = (layout.x[node.index()], layout.y(node));
        let stroke = if weight.output { 3 } else { 1 };
        let fill = COLOURS[weight.colour % COLOURS.len()];
        let title = escaped(clip(&weight.title).as_ref());
        writeln!(
            text,
            r##"<g data-box="{}"><title>{}</title><rect x="{:.1}" y="{y:.1}" width="{width:.1}" height="{HEIGHT}" rx="5" fill="{fill}" stroke="#333" stroke-width="{stroke}"/><text x="{x:.1}" y="{:.1}">{title}</text><text x="{x:.1}" y="{:.1}" font-size="10">{}</text></g>"##,
            node.index(),
            escaped(&weight.title),
            x - width / 2.0,
            y + 17.0,
            y + 32.0,
            escaped(&weight.detail),
        )?;
    }
    text.push_str("</svg>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use talatat_graph::testing::{graph_of, random_graph, tree_graph};

    fn layout(graph: &TaskGraph) -> (Picture, Layout) {
        let picture = picture(graph, &[]);
        let layout = Layout::new(&picture);
        (picture, layout)
    }

    #[test]
    fn boxes_of_a_row_do_not_overlap() {
        for graph in [tree_graph(64, 2), random_graph(7, 120), random_graph(8, 2000), graph_of(&[], &[])] {
            let (picture, layout) = layout(&graph);
            assert!(layout.x.iter().all(|x| x.is_finite()));
            for row in &layout.rows {
                for pair in row.windows(2) {
                    let [left, right] = [pair[0].index(), pair[1].index()];
                    let gap = layout.x[right] - layout.width[right] / 2.0 - layout.x[left] - layout.width[left] / 2.0;
                    assert!(gap >= BETWEEN - 1e-6, "{gap}");
                }
            }
            let (width, height) = layout.size();
            assert!(
                picture.node_indices().all(|node| layout.x[node.index()] < width && layout.y(node) + HEIGHT < height)
            );
        }
    }

    #[test]
    fn a_reader_is_above_what_it_reads() {
        let (picture, layout) = layout(&tree_graph(16, 2));
        assert!(picture.edge_references().all(|edge| layout.y(edge.target()) < layout.y(edge.source())));
    }

    #[test]
    fn names_cannot_break_the_markup() {
        let text = svg(&graph_of(&[("<script>\"&\u{1}", &[])], &[0]));
        assert!(text.contains("&lt;script&gt;&quot;&amp;?/0"));
        assert_eq!(text.matches("<script").count(), 0);
    }
}
