//! Amounts of bytes as people write them.

/// The units, longest first where one ends another.
const UNITS: [(&str, u64); 22] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("pib", 1 << 50),
    ("eib", 1 << 60),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("pb", 1_000_000_000_000_000),
    ("eb", 1_000_000_000_000_000_000),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("b", 1),
    ("", 1),
];

/// Reads an amount of bytes: a number, with or without a fraction and a unit.
///
/// `kB`, `MB`, `GB` ... are powers of 1000; `KiB`, `MiB`, `GiB` ... (`Ki`, `Mi` ... for short) are powers of 1024. Upper and
/// lower case mean the same, underscores and spaces between digits and unit are passed over, and a fraction of a byte is dropped.
///
/// ```
/// use talatat_collections::config::parse_bytes;
/// assert_eq!(parse_bytes("128MiB"), Ok(128 << 20));
/// assert_eq!(parse_bytes("1.5 GB"), Ok(1_500_000_000));
/// assert_eq!(parse_bytes("1_000"), Ok(1000));
/// assert!(parse_bytes("-1 MB").is_err());
/// ```
///
/// # Errors
/// What is wrong with the text, and what it should look like.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = |what: &str| format!("{text:?} {what}: write a number and a unit, as in 500MB or 2 GiB");
    let text_only = text.trim();
    let digits = text_only.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text_only.len());
    let (number, unit) = text_only.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let scale = scale.ok_or_else(|| wrong("is not an amount of bytes"))?;
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(wrong("has no proper number"));
    }
    // Exact: 18 digits of a fraction times a unit stay below 2^128.
    let fraction = &fraction[..fraction.len().min(18)];
    let digits = |digits: &str| if digits.is_empty() { Ok(0) } else { digits.parse::<u128>() };
    let (Ok(whole), Ok(part)) = (digits(whole), digits(fraction)) else {
        return Err(wrong("is too large"));
    };
    let part = part * u128::from(scale) / 10_u128.pow(fraction.len() as u32);
    let bytes = whole.checked_mul(u128::from(scale)).and_then(|bytes| bytes.checked_add(part));
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).ok_or_else(|| wrong("is too large"))
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;
    use proptest::prelude::*;

    #[test]
    fn units() {
        for (text, bytes) in [
            ("0", 0),
            ("1_000", 1000),
            (" 12 ", 12),
            ("12 B", 12),
            ("500MB", 500_000_000),
            ("500 mb", 500_000_000),
            ("128MiB", 128 << 20),
            ("2 GiB", 2 << 30),
            ("1.5 GB", 1_500_000_000),
            (".5KiB", 512),
            ("1.9999 B", 1),
            ("0.1 GB", 100_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount() {
        for text in [
            "",
            " ",
            "GB",
            ".",
            "1.2.3",
            "-1",
            "+1",
            "1e9",
            "nan",
            "inf",
            "12 parsecs",
            "1 2",
            "16 EiB",
            "99999999999999999999999999999999999999999",
        ] {
            let error = parse_bytes(text).unwrap_err();
            assert!(error.contains("as in 500MB or 2 GiB"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = parse_bytes(&text);
        }

        #[test]
        fn whole_numbers_are_exact(number in 0..u64::MAX >> 30) {
            prop_assert_eq!(parse_bytes(&format!("{number} GiB")), Ok(number << 30));
            prop_assert_eq!(parse_bytes(&number.to_string()), Ok(number));
        }
    }
}
