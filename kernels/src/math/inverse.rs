//! `tan` and the inverse trigonometric functions; polynomials and splittings of the latter are fdlibm's (Sun, 1993).

use super::{cos_f64, fma, polynomial, sin_f64};

const PI_LOW: f64 = 1.224_646_799_147_353_177_2e-16;
const HALF_PI_LOW: f64 = 6.123_233_995_736_765_886_1e-17;

/// The tangent, for arguments up to the limit of `sin` and `cos`.
#[inline(always)]
pub(super) fn tan(x: f64) -> f64 {
    sin_f64(x) / cos_f64(x)
}

#[inline(always)]
pub(super) fn arctan(x: f64) -> f64 {
    let a = x.abs();
    // Near one of four points atan a = atan c + atan t, with t = (a - c) / (1 + c a).
    let (numerator, denominator, high, low) = if a < 0.437_5 {
        (a, 1.0, 0.0, 0.0)
    } else if a < 0.687_5 {
        (2.0 * a - 1.0, 2.0 + a, 4.636_476_090_008_060_935_15e-1, 2.269_877_745_296_168_709_24e-17)
    } else if a < 1.187_5 {
        (a - 1.0, a + 1.0, std::f64::consts::FRAC_PI_4, 3.061_616_997_868_383_017_93e-17)
    } else if a < 2.437_5 {
        (a - 1.5, 1.0 + 1.5 * a, 9.827_937_232_473_290_540_82e-1, 1.390_331_103_123_099_845_16e-17)
    } else {
        (-1.0, a, std::f64::consts::FRAC_PI_2, HALF_PI_LOW)
    };
    let t = numerator / denominator;
    let z = t * t;
    let p = z * polynomial(
        z,
        [
            1.628_582_011_536_578_236_23e-2,
            -3.653_157_274_421_691_552_70e-2,
            4.976_877_994_615_932_360_17e-2,
            -5.833_570_133_790_573_486_45e-2,
            6.661_073_137_387_531_206_69e-2,
            -7.691_876_205_044_829_994_95e-2,
            9.090_887_133_436_506_561_96e-2,
            -1.111_111_040_546_235_578_80e-1,
            1.428_571_427_250_346_637_11e-1,
            -1.999_999_999_987_648_324_76e-1,
            3.333_333_333_333_293_180_27e-1,
        ],
    );
    let y = high - ((t * p - low) - t);
    let y = if x.is_nan() { x } else { y };
    y.copysign(x)
}

/// The angle of the point (x, y).
#[inline(always)]
pub(super) fn arctan2(y: f64, x: f64) -> f64 {
    let (a, b) = (y.abs(), x.abs());
    // Infinity over infinity is a diagonal, 0 over 0 is on the axis.
    let both = a == f64::INFINITY && b == f64::INFINITY;
    let quotient = if both { 1.0 } else { a / b };
    let quotient = if a == 0.0 { 0.0 } else { quotient };
    let angle = arctan(quotient);
    let angle = if x.is_sign_negative() { std::f64::consts::PI - (angle - PI_LOW) } else { angle };
    let angle = angle.copysign(y);
    if x.is_nan() || y.is_nan() { f64::NAN } else { angle }
}

/// `(asin x - x) / x` of `z = x²`, for `|x| <= 1/2`.
#[inline(always)]
fn arcsin_ratio(z: f64) -> f64 {
    let p = z * polynomial(
        z,
        [
            3.479_331_075_960_211_675_70e-5,
            7.915_349_942_898_145_321_76e-4,
            -4.005_553_450_067_941_140_27e-2,
            2.012_125_321_348_629_258_81e-1,
            -3.255_658_186_224_009_154_05e-1,
            1.666_666_666_666_666_574_15e-1,
        ],
    );
    let q = polynomial(
        z,
        [
            7.703_815_055_590_193_527_91e-2,
            -6.882_839_716_054_532_930_30e-1,
            2.020_945_760_233_505_694_71,
            -2.403_394_911_734_414_218_78,
            1.0,
        ],
    );
    p / q
}

#[inline(always)]
pub(super) fn arcsin(x: f64) -> f64 {
    let a = x.abs();
    let near = a < 0.5;
    let z = if near { a * a } else { 0.5 * (1.0 - a) };
    let ratio = arcsin_ratio(z);
    // asin a = pi/2 - 2 asin sqrt((1 - a) / 2); the root in two parts.
    let s = z.sqrt();
    let s_rest = if s > 0.0 { fma(-s, s, z) / (2.0 * s) } else { 0.0 };
    let quarter = std::f64::consts::FRAC_PI_4;
    let p = 2.0 * s * ratio - (HALF_PI_LOW - 2.0 * s_rest);
    let far = quarter - (p - (quarter - 2.0 * s));
    let y = if near { fma(a, ratio, a) } else { far };
    y.copysign(x)
}

#[inline(always)]
pub(super) fn arccos(x: f64) -> f64 {
    let a = x.abs();
    let near = a < 0.5;
    let z = if near { a * a } else { 0.5 * (1.0 - a) };
    let ratio = arcsin_ratio(z);
    let s = z.sqrt();
    let s_rest = if s > 0.0 { fma(-s, s, z) / (2.0 * s) } else { 0.0 };
    let middle = std::f64::consts::FRAC_PI_2 - (x - (HALF_PI_LOW - x * ratio));
    let right = 2.0 * (s + (ratio * s + s_rest));
    let left = std::f64::consts::PI - 2.0 * (s + (ratio * s - HALF_PI_LOW));
    if near {
        middle
    } else if x > 0.0 {
        right
    } else {
        left
    }
}
