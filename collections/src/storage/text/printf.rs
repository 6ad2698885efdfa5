//! Numbers in the formats of C and Python: `%d`, `%.18e`, `%-10.3f`.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::element::{Number, Precision, TextElement};

/// Wider fields and more digits are refused: nobody wants them, and they would fill the memory.
const MOST: usize = 4096;

/// How one number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

/// How a row of numbers is written: text, a number, text, a number, .., text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowFormat {
    numbers: Vec<(String, Spec)>,
    end: String,
    /// Whether `+-` is written as `-`, as complex numbers want it.
    signs: bool,
}

impl RowFormat {
    /// The format of rows of `columns` elements: one format, which all of them have, with a delimiter between them, or as
    /// many formats as there are numbers, as they stand.
    ///
    /// # Errors
    /// A text that says what is wrong with the format.
    pub(crate) fn new<T: TextElement>(fmt: &str, delimiter: &str, columns: usize) -> Result<RowFormat, String> {
        let (numbers, _) = parse(fmt)?;
        let wanted = columns.saturating_mul(T::PARTS);
        let text = match numbers.len() {
            1 => {
                let one = if T::PARTS == 2 { format!(" ({fmt}+{fmt}j)") } else { fmt.to_owned() };
                vec![one; columns].join(&delimiter.replace('%', "%%"))
            }
            found if found == wanted && found > 0 => fmt.to_owned(),
            found => return Err(format!("`{fmt}` has {found} formats: give one, or {wanted} for a row")),
        };
        let (numbers, end) = parse(&text)?;
        Ok(RowFormat { numbers, end, signs: T::PARTS == 2 })
    }

    /// The same with what ends a row.
    pub(crate) fn ended(mut self, newline: &str) -> Self {
        self.end.push_str(newline);
        self
    }

    /// How many numbers a row has.
    pub(crate) fn numbers(&self) -> usize {
        self.numbers.len()
    }

    /// The most bytes of a row.
    pub(crate) fn longest<T: TextElement>(&self) -> u64 {
        let number = |(text, spec): &(String, Spec)| text.len() + spec.longest(<T as TextElement>::DIGITS);
        self.numbers.iter().map(number).sum::<usize>() as u64 + self.end.len() as u64
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A text that says which number cannot be written so.
    pub(crate) fn write(&self, row: &[Number], out: &mut String) -> Result<(), String> {
        let start = out.len();
        for ((text, spec), &number) in self.numbers.iter().zip(row) {
            out.push_str(text);
            spec.write(number, out)?;
        }
        out.push_str(&self.end);
        if self.signs {
            let row = out.split_off(start);
            out.push_str(&row.replace("+-", "-"));
        }
        Ok(())
    }
}

/// The texts and formats of a format, and the text after them.
fn parse(fmt: &str) -> Result<(Vec<(String, Spec)>, String), String> {
    let (mut numbers, mut text) = (Vec::new(), String::new());
    let mut rest = fmt.chars().peekable();
    while let Some(next) = rest.next() {
        if next != '%' {
            text.push(next);
            continue;
        }
        let mut spec = Spec {
            left: false,
            plus: false,
            space: false,
            zero: false,
            alternate: false,
            width: 0,
            precision: None,
            conversion: '%',
        };
        while let Some(flag) = rest.next_if(|next| "-+ 0#".contains(*next)) {
            match flag {
                '-' => spec.left = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '0' => spec.zero = true,
                _ => spec.alternate = true,
            }
        }
        let count = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Result<usize, String> {
            let mut count = 0_usize;
            while let Some(digit) = rest.next_if(char::is_ascii_digit).and_then(|digit| digit.to_digit(10)) {
                count = count * 10 + digit as usize;
                if count > MOST {
                    return Err(format!("`{fmt}` asks for more than {MOST} characters"));
                }
            }
            Ok(count)
        };
        spec.width = count(&mut rest)?;
        if rest.next_if_eq(&'.').is_some() {
            spec.precision = Some(count(&mut rest)?);
        }
        // As in C: how long an integer is says its type.
        while rest.next_if(|next| "hlL".contains(*next)).is_some() {}
        match rest.next() {
            Some('%') => text.push('%'),
            Some(conversion) if "diueEfFgGs".contains(conversion) => {
                numbers.push((std::mem::take(&mut text), Spec { conversion, ..spec }));
            }
            Some(other) => {
                return Err(format!(
                    "`%{other}` in `{fmt}` is no format here: those are %d %i %u %e %E %f %F %g %G %s"
                ));
            }
            None => return Err(format!("`{fmt}` ends within a format")),
        }
    }
    Ok((numbers, text))
}

impl Spec {
    fn longest(&self, digits: usize) -> usize {
        let precision = self.precision.unwrap_or(6);
        // A sign, a point, an exponent of five characters at most, or zeros before the first digit.
        let own = match self.conversion {
            'd' | 'i' | 'u' => 1 + digits.max(precision),
            'f' | 'F' => 2 + digits + precision,
            'e' | 'E' => 8 + precision,
            's' => 26,
            _ => 8 + precision.max(1),
        };
        own.max(self.width)
    }

    fn write(&self, number: Number, out: &mut String) -> Result<(), String> {
        if self.conversion == 's' {
            let text = shortest(number);
            let most = self.precision.unwrap_or(usize::MAX);
            self.pad("", text.get(..most).unwrap_or(&text), false, out);
            return Ok(());
        }
        let value = match number {
            Number::Bool(value) => f64::from(u8::from(value)),
            Number::Int(value) => value as f64,
            Number::Float(value, _) => value,
        };
        let digits = match self.conversion {
            'd' | 'i' | 'u' => self.integer(number)?,
            _ if value.is_nan() => "nan".into(),
            _ if value.is_infinite() => "inf".into(),
            'f' | 'F' => fixed(value.abs(), self.precision.unwrap_or(6), self.alternate),
            'e' | 'E' => scientific(value.abs(), self.precision.unwrap_or(6), self.alternate),
            _ => self.general(value.abs()),
        };
        let digits = if self.conversion.is_ascii_uppercase() { digits.to_ascii_uppercase() } else { digits };
        let negative = match self.conversion {
            // There is no integer -0.
            'd' | 'i' | 'u' => value <= -1.0,
            _ => value.is_sign_negative() && !value.is_nan(),
        };
        let sign = match negative {
            true => "-",
            false if self.plus => "+",
            false if self.space => " ",
            false => "",
        };
        self.pad(sign, &digits, self.zero, out);
        Ok(())
    }

    /// The digits of a whole number; what is behind the point is cut off.
    fn integer(&self, number: Number) -> Result<String, String> {
        let digits = match number {
            Number::Bool(value) => u8::from(value).to_string(),
            Number::Int(value) => value.unsigned_abs().to_string(),
            Number::Float(value, _) if value.is_finite() => format!("{:.0}", value.trunc().abs()),
            Number::Float(value, _) => {
                return Err(format!("{value} is no integer, which %{} writes: use another format", self.conversion));
            }
        };
        Ok(format!("{digits:0>width$}", width = self.precision.unwrap_or(0)))
    }

    /// The shorter of both forms, without zeros at the end.
    fn general(&self, value: f64) -> String {
        let digits = self.precision.unwrap_or(6).max(1);
        // Rounding may give the number another digit.
        let exponent = exponent(&format!("{value:.0$e}", digits - 1));
        let positional = (-4..digits as i32).contains(&exponent);
        let text = match positional {
            true => fixed(value, (digits as i32 - 1 - exponent).max(0) as usize, self.alternate),
            false => scientific(value, digits - 1, self.alternate),
        };
        if self.alternate {
            return text;
        }
        let (mantissa, power) = text.split_at(text.find('e').unwrap_or(text.len()));
        let mantissa =
            if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
        format!("{mantissa}{power}")
    }

    fn pad(&self, sign: &str, digits: &str, zero: bool, out: &mut String) {
        let missing = self.width.saturating_sub(sign.len() + digits.len());
        let (blanks, zeros, after) = match (self.left, zero) {
            (true, _) => (0, 0, missing),
            (false, true) => (0, missing, 0),
            (false, false) => (missing, 0, 0),
        };
        // Writing to memory does not fail.
        let _ = write!(out, "{:blanks$}{sign}{:0>zeros$}{digits}{:after$}", "", "", "");
    }
}

fn fixed(value: f64, precision: usize, point: bool) -> String {
    format!("{value:.precision$}{}", if point && precision == 0 { "." } else { "" })
}

/// With a sign and two digits at least in the exponent.
fn scientific(value: f64, precision: usize, point: bool) -> String {
    let text = format!("{value:.precision$e}");
    let mantissa = text.split('e').next().unwrap_or_default();
    power(mantissa, exponent(&text), if point && precision == 0 { "." } else { "" })
}

fn power(mantissa: &str, exponent: i32, point: &str) -> String {
    format!("{mantissa}{point}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}

/// The exponent of a number as Rust writes it.
fn exponent(text: &str) -> i32 {
    text.split('e').nth(1).and_then(|exponent| exponent.parse().ok()).unwrap_or(0)
}

/// The shortest text that comes back as the same number, as `str` of NumPy's scalars.
pub(crate) fn shortest(number: Number) -> String {
    let (value, precision) = match number {
        Number::Bool(value) => return if value { "True" } else { "False" }.into(),
        Number::Int(value) => return value.to_string(),
        Number::Float(value, precision) => (value, precision),
    };
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.into();
    }
    let (scientific, limit) = match precision {
        Precision::Half => (half(value), 1e3),
        Precision::Single => (format!("{:e}", value as f32), 1e6),
        Precision::Double => (format!("{value:e}"), 1e16),
    };
    let (mantissa, exponent) = (scientific.split('e').next().unwrap_or_default(), exponent(&scientific));
    let size = value.abs();
    if size != 0.0 && !(1e-4..limit).contains(&size) {
        return power(mantissa, exponent, "");
    }
    // The digits of the shortest form, with the point where it belongs.
    let digits: Vec<char> = mantissa.chars().filter(char::is_ascii_digit).collect();
    let behind = (digits.len() as i32 - 1 - exponent).max(1) as usize;
    let exact: f64 = scientific.parse().unwrap_or(value);
    format!("{exact:.behind$}")
}

/// The shortest scientific form of a number of half precision.
fn half(value: f64) -> String {
    let wanted = crate::array::dtype::f16::from_f64(value);
    let tries = (0..5).map(|digits| format!("{value:.digits$e}"));
    let found = tries.into_iter().find(|text| crate::array::dtype::f16::parse(text) == Some(wanted));
    found.unwrap_or_else(|| format!("{value:e}"))
}
