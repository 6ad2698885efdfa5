//! A profile as a web page.

use serde_json::{Value, json};
use talatat_collections::escaped;
use talatat_graph::format_bytes;

use super::Profile;
use crate::diagnostics::page::page;

/// Draws and zooms.
const SCRIPT: &str = include_str!("profile.js");

pub(super) fn html(profile: &Profile) -> String {
    let report = &profile.report;
    let tasks: usize = report.operations.iter().map(|row| row.tasks).sum();
    let mut cards = vec![
        (format!("{:.3?}", report.elapsed), "elapsed".to_string()),
        (format!("{:.0}%", report.busy() * 100.0), format!("of {} threads busy", report.threads)),
        (tasks.to_string(), "tasks".to_string()),
        (
            format_bytes(report.peak_measured.unwrap_or(0)),
            format!("peak ({} projected for one thread)", format_bytes(report.peak_promised)),
        ),
    ];
    cards.extend(report.memory_limit.map(|limit| (format_bytes(limit), "memory limit".to_string())));
    if report.spilled != (0, 0) {
        let (out, back) = report.spilled;
        cards.push((format!("{} / {}", format_bytes(out), format_bytes(back)), "to the disk / back".to_string()));
    }
    let cards: String = (cards.iter())
        .map(|(value, what)| {
            format!("<div class=\"card\"><b>{}</b><span>{}</span></div>", escaped(value), escaped(what))
        })
        .collect();
    let notes: String = profile.notes().iter().map(|note| format!("<p class=\"dim\">{}</p>", escaped(note))).collect();
    let body = format!(
        r#"<header><div><h1>Talatat profile</h1>{notes}</div><button id="theme" title="light or dark">◐</button></header>
<div class="cards">{cards}</div>
<h2>Threads</h2>
<div class="bar"><button id="in" title="zoom in">+</button><button id="out" title="zoom out">−</button><button id="all">whole run</button><span class="dim">wheel to zoom, drag to move, click an operation in the table to single it out</span></div>
<canvas id="threads" aria-label="what each thread did when; the table below has the sums"></canvas>
<h2>Memory</h2><div class="keys" id="keys"></div>
<canvas id="memory" aria-label="memory over time"></canvas>
<h2>Operations</h2><div class="wide"><table id="table"><thead><tr><th>operation</th><th>tasks</th><th>time</th><th>share</th><th>mean</th><th>promised</th><th>measured</th><th>called at</th></tr></thead><tbody>{}</tbody></table></div>
<div id="tip" role="tooltip"></div>"#,
        table(profile)
    );
    page("Talatat profile", &body, &data(profile), SCRIPT, "'none'")
}

/// The table is there without the script, too.
fn table(profile: &Profile) -> String {
    let number = |name: &str| profile.rows.iter().position(|row| row.operation == name).unwrap_or(0);
    let row = |row: &crate::diagnostics::OperationReport| {
        let number = number(&row.operation);
        let tasks =
            if row.tasks == row.planned { row.tasks.to_string() } else { format!("{}/{}", row.tasks, row.planned) };
        let mean = row.time / u32::try_from(row.tasks.max(1)).unwrap_or(u32::MAX);
        let place = profile.rows.get(number).and_then(|row| row.location.as_deref()).unwrap_or("");
        format!(
            "<tr data-row=\"{number}\"><td><span class=\"swatch\"></span>{}</td><td>{tasks}</td><td>{:.3?}</td><td>{:.1}%</td><td>{mean:.1?}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&row.operation),
            row.time,
            row.share * 100.0,
            format_bytes(row.bytes_promised),
            format_bytes(row.bytes_measured),
            escaped(place),
        )
    };
    profile.report.operations.iter().map(row).collect()
}

/// What the script draws; numbers stand in flat lists, since there may be many.
fn data(profile: &Profile) -> Value {
    let lanes = profile.lanes.iter().map(|lane| {
        let spans: Vec<u64> = (lane.spans.iter())
            .flat_map(|(span, block)| [u64::from(span.row), *block, span.start, span.length(), span.bytes])
            .collect();
        let bins: Vec<Vec<u64>> = (lane.bins.bins.iter())
            .map(|bin| {
                bin.iter().flat_map(|share| [u64::from(share.row), u64::from(share.spans), share.time]).collect()
            })
            .collect();
        json!({"name": lane.name, "spans": spans, "width": lane.bins.width, "bins": bins})
    });
    let samples: Vec<u64> = (profile.samples.iter())
        .flat_map(|sample| [sample.at, sample.held, sample.reserved, sample.process, sample.written, sample.read])
        .collect();
    let rows = profile.rows.iter().map(|row| json!({"name": row.operation, "place": row.location}));
    json!({
        "elapsed": profile.end.elapsed.as_nanos() as u64,
        "limit": profile.report.memory_limit,
        "rows": rows.collect::<Vec<_>>(),
        "lanes": lanes.collect::<Vec<_>>(),
        "samples": samples,
        "writes": super::Span::WRITES,
        "reads": super::Span::READS,
    })
}
