//! Fields and numbers.

use crate::array::dtype::{C64, C128, Complex, Element, f16};

/// A number that is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Bool(bool),
    Int(i128),
    /// With the type that its shortest text is of.
    Float(f64, Precision),
}

/// The type of a float, where that matters for its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Half,
    Single,
    Double,
}

/// An element as text.
pub(crate) trait TextElement: Element {
    /// The numbers of an element: one, or the real and the imaginary part.
    const PARTS: usize;
    /// The most digits before the point.
    const DIGITS: usize;

    /// Reads an element as NumPy's `loadtxt` does.
    fn parse(text: &str) -> Option<Self>;

    /// Reads an element as NumPy's `genfromtxt` does.
    fn parse_loosely(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    /// Appends its numbers.
    fn numbers(self, to: &mut Vec<Number>);
}

macro_rules! integers {
    ($($T:ty, $digits:literal;)*) => {
        $(impl TextElement for $T {
            const PARTS: usize = 1;
            const DIGITS: usize = $digits;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn numbers(self, to: &mut Vec<Number>) {
                to.push(Number::Int(i128::from(self)));
            }
        })*
    };
}
integers! {
    i8, 3; i16, 5; i32, 10; i64, 19;
    u8, 3; u16, 5; u32, 10; u64, 20;
}

/// Floats are read as doubles and then rounded, as NumPy does.
macro_rules! floats {
    ($($T:ty, $digits:literal, $from:expr, $to:expr, $precision:ident;)*) => {
        $(impl TextElement for $T {
            const PARTS: usize = 1;
            const DIGITS: usize = $digits;

            fn parse(text: &str) -> Option<Self> {
                text.parse::<f64>().ok().map($from)
            }

            fn numbers(self, to: &mut Vec<Number>) {
                to.push(Number::Float($to(self), Precision::$precision));
            }
        })*
    };
}
floats! {
    f16, 5, f16::from_f64, f16::to_f64, Half;
    f32, 39, |value| value as f32, f64::from, Single;
    f64, 309, |value| value, |value| value, Double;
}

macro_rules! complex {
    ($($T:ty, $Part:ty;)*) => {
        $(impl TextElement for $T {
            const PARTS: usize = 2;
            const DIGITS: usize = <$Part as TextElement>::DIGITS;

            fn parse(text: &str) -> Option<Self> {
                let (re, im) = parts(text)?;
                Some(Complex::new(<$Part>::parse(re)?, <$Part>::parse(im)?))
            }

            fn parse_loosely(text: &str) -> Option<Self> {
                // Python takes a sign, or nothing, for one before the j.
                let whole = ["+j", "-j"].iter().find_map(|end| Some(format!("{}{}1j", text.strip_suffix(end)?, end.get(..1)?)));
                match text {
                    "j" => Self::parse("1j"),
                    _ => Self::parse(whole.as_deref().unwrap_or(text)),
                }
            }

            fn numbers(self, to: &mut Vec<Number>) {
                self.re.numbers(to);
                self.im.numbers(to);
            }
        })*
    };
}
complex! {
    C64, f32;
    C128, f64;
}

/// The real and the imaginary part of `1+2j`, `3`, `4j`, with or without parentheses.
fn parts(text: &str) -> Option<(&str, &str)> {
    let inner = match text.strip_prefix('(') {
        Some(inner) => inner.strip_suffix(')')?.trim(),
        None => text,
    };
    let Some(number) = inner.strip_suffix('j') else { return Some((inner, "0")) };
    let bytes = number.as_bytes();
    // The sign of the imaginary part: not the first one, and not that of an exponent.
    let sign = (1..bytes.len())
        .rev()
        .find(|&at| matches!(bytes.get(at), Some(b'+' | b'-')) && !matches!(bytes.get(at - 1), Some(b'e' | b'E')));
    match sign {
        Some(sign) => Some((number.get(..sign)?, number.get(sign..)?)),
        None => Some(("0", number)),
    }
}

impl TextElement for bool {
    const PARTS: usize = 1;
    const DIGITS: usize = 5;

    fn parse(text: &str) -> Option<Self> {
        text.parse::<i64>().ok().map(|value| value != 0)
    }

    fn parse_loosely(text: &str) -> Option<Self> {
        ["false", "true"].iter().position(|word| text.eq_ignore_ascii_case(word)).map(|found| found == 1)
    }

    fn numbers(self, to: &mut Vec<Number>) {
        to.push(Number::Bool(self));
    }
}
