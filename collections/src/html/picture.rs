//! The chunk grid of an array as SVG.
//!
//! One axis is a bar, two are a sheet, three a box that is seen from the front. Of more axes the last three are a box, and those before it are
//! pictures of their own to the left: each place in them is such a box. Lengths are drawn by their square roots, so that thin arrays can be seen.

use std::fmt::Write;

/// One axis of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cuts {
    /// The lengths of the chunks, if they are known.
    pub(crate) lengths: Option<Vec<usize>>,
    /// How many chunks there are.
    pub(crate) chunks: usize,
}

/// The longest and the shortest axis in pixels.
const LONGEST: f64 = 160.0;
const SHORTEST: f64 = 24.0;
/// Of more cuts only so many are drawn.
const CUTS: usize = 40;
/// Room for labels around a picture.
const MARGIN: f64 = 28.0;
/// What the third dimension leans by, for each pixel of depth.
const SLANT: f64 = 0.5;

/// An axis in pixels.
struct Drawn {
    length: f64,
    /// Where it is cut, both ends left out.
    cuts: Vec<f64>,
    label: String,
    /// Lengths are not known: cuts are somewhere.
    unknown: bool,
}

/// The chunk grid of an array with these axes.
pub(crate) fn grid(axes: &[Cuts]) -> String {
    let most = axes.iter().filter_map(Cuts::length).max().unwrap_or(0).max(1) as f64;
    let drawn: Vec<Drawn> = axes.iter().map(|axis| axis.drawn(most)).collect();
    // Groups of at most three axes from the end.
    let mut groups: Vec<&[Drawn]> = drawn.rchunks(3).collect();
    groups.reverse();
    if groups.is_empty() {
        groups.push(&[]);
    }
    let (mut body, mut left, mut height) = (String::new(), 0.0, 0.0_f64);
    for (number, group) in groups.iter().enumerate() {
        if number > 0 {
            let _ = writeln!(body, "<text x=\"{left:.0}\" y=\"{MARGIN:.0}\" text-anchor=\"middle\">\u{d7}</text>");
        }
        let (wide, high) = one(group, left, &mut body);
        left += wide;
        height = height.max(high);
    }
    let label = axes.iter().map(|axis| axis.chunks.to_string()).collect::<Vec<_>>().join(" by ");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{left:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"chunks: {label}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\" stroke-linecap=\"round\">\n{body}</svg>"
    )
}

impl Cuts {
    fn length(&self) -> Option<usize> {
        self.lengths.as_ref().map(|lengths| lengths.iter().fold(0_usize, |sum, &length| sum.saturating_add(length)))
    }

    fn drawn(&self, most: f64) -> Drawn {
        let Some((lengths, all)) = self.lengths.as_ref().zip(self.length()) else {
            let length = LONGEST / 2.0;
            let each = length / self.chunks.max(1) as f64;
            let cuts = thinned((1..self.chunks).map(|cut| cut as f64 * each), self.chunks);
            return Drawn { length, cuts, label: "?".into(), unknown: true };
        };
        let length = (LONGEST * (all as f64 / most).sqrt()).max(SHORTEST);
        let scale = length / all.max(1) as f64;
        let mut at = 0.0;
        let ends = lengths.iter().take(lengths.len().saturating_sub(1)).map(|&chunk| {
            at += chunk as f64 * scale;
            at
        });
        Drawn { length, cuts: thinned(ends, lengths.len()), label: all.to_string(), unknown: false }
    }
}

/// Every so manieth cut, if there are too many.
fn thinned(cuts: impl Iterator<Item = f64>, chunks: usize) -> Vec<f64> {
    let step = chunks.div_ceil(CUTS).max(1);
    cuts.skip(step - 1).step_by(step).collect()
}

/// Draws up to three axes from `left` on; gives how wide and how high it is with its labels.
fn one(axes: &[Drawn], left: f64, body: &mut String) -> (f64, f64) {
    let point = || Drawn { length: SHORTEST, cuts: Vec::new(), label: String::new(), unknown: false };
    let (nothing, other) = (point(), point());
    let (deep, down, right) = match axes {
        [] => (None, &nothing, &other),
        [right] => (None, &nothing, right),
        [down, right] => (None, down, right),
        [deep, down, right, ..] => (Some(deep), down, right),
    };
    let lean = deep.map_or(0.0, |deep| deep.length * SLANT);
    let (x, y) = (left + MARGIN, MARGIN + lean);
    let mut line = |x1: f64, y1: f64, x2: f64, y2: f64, style: &str| {
        let _ = writeln!(
            body,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"currentColor\"{style}/>"
        );
    };
    let style = |axis: &Drawn| match axis.unknown {
        true => " stroke-width=\"0.7\" stroke-dasharray=\"2 3\"",
        false => " stroke-width=\"0.7\"",
    };
    for &cut in &right.cuts {
        line(x + cut, y, x + cut, y + down.length, style(right));
        if deep.is_some() {
            line(x + cut, y, x + cut + lean, y - lean, style(right));
        }
    }
    for &cut in &down.cuts {
        line(x, y + cut, x + right.length, y + cut, style(down));
        if deep.is_some() {
            line(x + right.length, y + cut, x + right.length + lean, y + cut - lean, style(down));
        }
    }
    if let Some(deep) = deep {
        for cut in deep.cuts.iter().map(|cut| cut * SLANT) {
            line(x + cut, y - cut, x + cut + right.length, y - cut, style(deep));
            line(x + cut + right.length, y - cut, x + cut + right.length, y - cut + down.length, style(deep));
        }
        // The edges of the top and of the right side.
        for (x1, y1, x2, y2) in [
            (x, y, x + lean, y - lean),
            (x + right.length, y, x + right.length + lean, y - lean),
            (x + right.length, y + down.length, x + right.length + lean, y + down.length - lean),
            (x + lean, y - lean, x + lean + right.length, y - lean),
            (x + lean + right.length, y - lean, x + lean + right.length, y - lean + down.length),
        ] {
            line(x1, y1, x2, y2, " stroke-width=\"1.5\"");
        }
    }
    let (wide, high) = (right.length, down.length);
    let _ = writeln!(
        body,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" fill=\"#e0a050\" fill-opacity=\"0.35\" \
         stroke=\"currentColor\" stroke-width=\"1.5\"/>"
    );
    let mut label = |x: f64, y: f64, anchor: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(body, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
        }
    };
    label(x + wide / 2.0, y + high + 14.0, "middle", &right.label);
    label(x + wide + lean + 5.0, y + high / 2.0 - lean + 4.0, "start", &down.label);
    if let Some(deep) = deep {
        label(x + lean / 2.0 - 5.0, y - lean / 2.0 - 2.0, "end", &deep.label);
    }
    // Labels are about six pixels a digit.
    let text = 6.0 * down.label.len().max(2) as f64;
    (MARGIN + wide + lean + text + 10.0, MARGIN + lean + high + MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(lengths: &[usize]) -> Cuts {
        Cuts { lengths: Some(lengths.to_vec()), chunks: lengths.len() }
    }

    #[test]
    fn a_sheet_of_two_by_three() {
        insta::assert_snapshot!(grid(&[cut(&[100, 100]), cut(&[20, 20, 10])]), @r##"
        <svg xmlns="http://www.w3.org/2000/svg" width="136" height="216" role="img" aria-label="chunks: 2 by 3" font-family="sans-serif" font-size="11" fill="currentColor" stroke-linecap="round">
        <line x1="60.0" y1="28.0" x2="60.0" y2="188.0" stroke="currentColor" stroke-width="0.7"/>
        <line x1="92.0" y1="28.0" x2="92.0" y2="188.0" stroke="currentColor" stroke-width="0.7"/>
        <line x1="28.0" y1="108.0" x2="108.0" y2="108.0" stroke="currentColor" stroke-width="0.7"/>
        <rect x="28.0" y="28.0" width="80.0" height="160.0" fill="#e0a050" fill-opacity="0.35" stroke="currentColor" stroke-width="1.5"/>
        <text x="68.0" y="202.0" text-anchor="middle">50</text>
        <text x="113.0" y="112.0" text-anchor="start">200</text>
        </svg>
        "##);
    }

    #[test]
    fn lines_for_all_cuts_of_any_number_of_axes() {
        let lines = |axes: &[Cuts]| grid(axes).matches("<line").count();
        assert_eq!((lines(&[]), lines(&[cut(&[5])]), lines(&[cut(&[5; 4])])), (0, 0, 3));
        assert_eq!(lines(&[cut(&[5; 4]), cut(&[5; 3])]), 3 + 2);
        // A box has five edges more, and each cut is seen on two sides.
        assert_eq!(lines(&[cut(&[5; 4]), cut(&[5; 3]), cut(&[1, 1])]), 5 + 2 * (3 + 2 + 1));
        let five = grid(&[cut(&[5]), cut(&[5]), cut(&[5]), cut(&[5]), cut(&[5, 5])]);
        assert_eq!((five.matches("<rect").count(), five.matches('\u{d7}').count()), (2, 1));
        assert!(grid(&[cut(&[1; 10_000])]).matches("<line").count() <= CUTS);
    }

    #[test]
    fn lengths_that_are_not_known_are_dashed() {
        let picture = grid(&[Cuts { lengths: None, chunks: 3 }, cut(&[4])]);
        assert_eq!(picture.matches("stroke-dasharray").count(), 2);
        assert!(picture.contains(">?</text>"));
    }

    proptest! {
        /// Numbers that a browser can draw, whatever the lengths.
        #[test]
        fn any_grid(axes in prop::collection::vec(prop::collection::vec(0_usize..usize::MAX / 4, 0..60), 0..7)) {
            let axes: Vec<Cuts> = axes.iter().map(|lengths| cut(lengths)).collect();
            let picture = grid(&axes);
            prop_assert!(!picture.contains("NaN") && !picture.contains("inf") && picture.ends_with("</svg>"));
        }
    }
}
