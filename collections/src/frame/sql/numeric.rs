//! PostgreSQL's decimal numbers, as they come: digits to the base of 10,000.

/// A number: its digits stand before 10,000 to the power of `weight`, downwards.
pub(super) struct Numeric<'a> {
    digits: &'a [u8],
    weight: i32,
    negative: bool,
    special: Option<f64>,
}

impl<'a> Numeric<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Numeric<'a>> {
        let two = |at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let (count, weight, sign) = (two(0)?, two(2)? as i16, two(4)?);
        let digits = bytes.get(8..8 + 2 * usize::from(count))?;
        let special = match sign {
            0xC000 => Some(f64::NAN),
            0xD000 => Some(f64::INFINITY),
            0xF000 => Some(f64::NEG_INFINITY),
            _ => None,
        };
        Some(Numeric { digits, weight: weight.into(), negative: sign == 0x4000, special })
    }

    fn digits(&self) -> impl Iterator<Item = u16> + '_ {
        self.digits.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
    }

    /// How many decimal places the last digit group is away from the point.
    fn exponent(&self) -> i32 {
        4 * (self.weight + 1 - self.digits.len() as i32 / 2)
    }

    /// The number times ten to the power of `scale`; `None` if that is no whole number of 38 digits.
    pub(super) fn scaled(&self, scale: usize) -> Option<i128> {
        if self.special.is_some() {
            return None;
        }
        let shift = self.exponent() + i32::try_from(scale).ok()?;
        // Trailing digits of the last group may be beyond the scale: they are zeros.
        let whole = self.digits().try_fold(0_i128, |sum, digit| sum.checked_mul(10_000)?.checked_add(digit.into()));
        let value = match (whole, shift) {
            (Some(0), _) => 0,
            (Some(whole), 0..) => whole.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?,
            (Some(whole), _) => {
                let by = 10_i128.checked_pow(shift.unsigned_abs())?;
                if whole % by != 0 {
                    return None;
                }
                whole / by
            }
            (None, _) => return None,
        };
        Some(if self.negative { -value } else { value })
    }

    /// The nearest float.
    pub(super) fn float(&self) -> Option<f64> {
        if let Some(special) = self.special {
            return Some(special);
        }
        let mut text = String::from(if self.negative { "-0" } else { "0" });
        self.digits().for_each(|digit| text.push_str(&format!("{digit:04}")));
        text.push_str(&format!("e{}", self.exponent()));
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(digits: &[u16], weight: i16, sign: u16) -> Vec<u8> {
        let head = [digits.len() as u16, weight as u16, sign, 0];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numbers() {
        let check = |bytes: &[u8], scaled: Option<i128>, float: f64| {
            let number = Numeric::parse(bytes).unwrap();
            assert_eq!(number.scaled(2), scaled);
            assert!(number.float().unwrap().to_bits() == float.to_bits(), "{:?}", number.float());
        };
        check(&number(&[], 0, 0), Some(0), 0.0);
        check(&number(&[1, 2345, 6700], 1, 0), Some(1_234_567), 12_345.67);
        check(&number(&[500], -1, 0x4000), Some(-5), -0.05);
        check(&number(&[7], 2, 0), Some(70_000_000_000), 7e8);
        check(&number(&[1], -2, 0), None, 1e-8);
        check(&number(&[], 0, 0xD000), None, f64::INFINITY);
        assert!(Numeric::parse(&[0, 3]).is_none());
    }
}
