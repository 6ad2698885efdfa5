//! A graph as a web page: the picture of [`svg`](super::svg()), to zoom, to point at and to colour.

use serde_json::json;
use talatat_collections::escaped;
use talatat_graph::TaskGraph;

use super::page::page;
use super::picture::picture;
use super::svg::of_picture;

const SCRIPT: &str = include_str!("graph.js");

pub(super) fn html(graph: &TaskGraph, times: &[f64]) -> String {
    let picture = picture(graph, times);
    let boxes = picture.node_weights().map(|node| {
        json!({
            "title": node.title,
            "detail": node.detail,
            "layer": node.colour,
            "order": node.order,
            "bytes": node.bytes,
            "time": node.time,
            "place": node.place,
        })
    });
    let boxes: Vec<_> = boxes.collect();
    let what = if picture.node_count() == graph.len() {
        "a box is a task"
    } else {
        "a box is all tasks of a layer or an operation"
    };
    let time = if times.is_empty() { "" } else { "<option value=\"time\">time (predicted)</option>" };
    let body = format!(
        r#"<header><div><h1>Talatat graph</h1><p class="dim">{} tasks, {} edges; {}; data flows upwards</p></div><button id="theme" title="light or dark">◐</button></header>
<div class="bar"><label>colour by <select id="by"><option value="layer">operation</option><option value="order">order</option><option value="bytes">bytes</option>{time}</select></label><button id="in" title="zoom in">+</button><button id="out" title="zoom out">−</button><button id="all">all</button><span class="dim">wheel to zoom, drag to move</span></div>
<div id="graph">{}</div><div id="tip" role="tooltip"></div>"#,
        graph.len(),
        graph.edge_count(),
        escaped(what),
        of_picture(&picture)
    );
    page("Talatat graph", &body, &json!({"boxes": boxes}), SCRIPT, "'none'")
}
