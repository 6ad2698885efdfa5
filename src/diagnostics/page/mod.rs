//! Web pages that are one file: no network, no script but what stands in them.

use serde::Serialize;
use talatat_collections::escaped;

/// Colours and tables that all pages share, in light and dark.
const STYLE: &str = include_str!("page.css");
/// What the scripts of several pages use.
const COMMON: &str = include_str!("page.js");

/// A page: its script finds `data` as `DATA`. Nothing in the data can end the script or load anything: the text is escaped, and the
/// page's own policy forbids all connections but those that `connect` names.
pub(super) fn page(title: &str, body: &str, data: &impl Serialize, script: &str, connect: &str) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    // In a script element only these end or open anything; in JSON they stand inside of texts.
    let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src {connect}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title>
<style>
{STYLE}</style>
</head>
<body>
{body}
<script type="application/json" id="data">{data}</script>
<script>
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
{COMMON}{script}</script>
</body>
</html>
"#,
        escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_the_script() {
        let text = page("</title>&", "", &["</script><script>alert(1)</script><!--"], "", "'none'");
        assert_eq!(text.matches("</script").count(), 2);
        assert!(!text.contains("<!--") && text.contains("<title>&lt;/title&gt;&amp;</title>"));
    }
}
