//! Graphs as DOT, for graphviz and what else reads it.

use petgraph::dot::{Config, Dot, RankDir};
use talatat_graph::TaskGraph;

use super::picture::picture;
use super::{COLOURS, clip};

/// A graph as DOT text: a box for each task, coloured by layer, with its block and bytes; graphs of more than some hundred
/// tasks get a box for each layer, or for each operation. Data flows upwards; what was asked for has a thick border.
///
/// ```
/// use talatat::graph::testing::tree_graph;
/// let text = talatat::diagnostics::dot(&tree_graph(2, 2));
/// assert!(text.starts_with("digraph {"));
/// assert!(text.contains("sum/0"));
/// ```
pub fn dot(graph: &TaskGraph) -> String {
    let picture = picture(graph, &[]);
    let node = |_: &super::picture::Picture, (_, node): (_, &super::picture::Box)| {
        let label = format!("{}\n{}", clip(&node.title), node.detail);
        format!(
            "label={} shape=box style=filled fillcolor={} penwidth={}",
            quoted(label.trim_end()),
            quoted(COLOURS[node.colour % COLOURS.len()]),
            if node.output { 3 } else { 1 }
        )
    };
    let edge = |_: &super::picture::Picture, edge: petgraph::graph::EdgeReference<'_, super::picture::Arrow>| {
        let text = &edge.weight().0;
        if text.is_empty() { String::new() } else { format!("label={}", quoted(text)) }
    };
    let config = [Config::NodeNoLabel, Config::EdgeNoLabel, Config::RankDir(RankDir::BT)];
    format!("{:?}", Dot::with_attr_getters(&picture, &config, &edge, &node))
}

/// A text as DOT quotes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use talatat_graph::testing::graph_of;

    #[test]
    fn one_line_a_box_and_an_arrow() {
        insta::assert_snapshot!(dot(&graph_of(&[("read \"a\\b\"", &[]), ("sum", &[0])], &[1])), @r##"
        digraph {
            rankdir="BT"
            0 [ label="read \"a\\b\"/0\n1 B" shape=box style=filled fillcolor="#aec7e8" penwidth=1]
            1 [ label="sum/1\n1 B" shape=box style=filled fillcolor="#ffbb78" penwidth=3]
            0 -> 1 [ ]
        }
        "##);
    }

    #[test]
    fn nothing() {
        insta::assert_snapshot!(dot(&graph_of(&[], &[])), @r#"
        digraph {
            rankdir="BT"
        }
        "#);
    }
}
