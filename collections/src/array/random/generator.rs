//! NumPy's `Generator`: one seed for many arrays.

use std::panic::Location;

use talatat_graph::KeyBuilder;

use super::random;
use crate::array::handle::Array;
use crate::array::kernels::program::{Distribution, Family};
use crate::error::{Error, Result};

/// A source of random arrays, after NumPy's `Generator`: each call draws a seed of its own, so that its numbers are independent of those
/// of other calls. The same seed and the same calls give the same arrays, whatever their chunks. The numbers are not NumPy's own.
#[derive(Clone, Debug)]
pub struct Generator {
    seed: u64,
    drawn: u64,
}

/// A source of random arrays.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::default_rng;
/// let mut rng = default_rng(42);
/// let (x, y) = (rng.standard_normal([1000])?, rng.standard_normal([1000])?);
/// assert_ne!(x.compute()?, y.compute()?);
/// assert_eq!(x.compute()?, default_rng(42).standard_normal([1000])?.rechunk(9)?.compute()?);
/// # Ok::<(), talatat::Error>(())
/// ```
pub fn default_rng(seed: u64) -> Generator {
    Generator { seed, drawn: 0 }
}

impl Generator {
    /// The seed of the next call.
    pub(super) fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        KeyBuilder::new("random").number(self.seed).number(self.drawn).finish().bits() as u64
    }

    /// A generator whose numbers are independent of this one's.
    ///
    /// ```
    /// use talatat::array::default_rng;
    /// let mut rng = default_rng(1);
    /// let (mut a, mut b) = (rng.spawn(), rng.spawn());
    /// assert_ne!(a.random([3])?.key()?, b.random([3])?.key()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn spawn(&mut self) -> Generator {
        default_rng(self.draw())
    }

    /// Integers from `low` (included) to `high` (excluded), all equally likely.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let dice = talatat::array::default_rng(3).integers(1, 7, [60])?.compute()?;
    /// assert!(dice.iter().all(|&eyes| (1..7).contains(&eyes)));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `high` is not above `low`.
    #[track_caller]
    pub fn integers(&mut self, low: i64, high: i64, shape: impl AsRef<[usize]>) -> Result<Array<i64>> {
        let distribution = Distribution::Integers { low, high };
        random("integers", distribution, shape.as_ref(), self.draw(), Location::caller())
    }
}

/// What is made of numbers from 0 (included) to 1 (excluded) or of standard normal ones, element by element: one row each with what it is,
/// its parameters, what these must be, and the formula.
macro_rules! transformed {
    ($($name:ident($($parameter:ident),*) of $source:ident -> $type:ty, $example:literal, $what:literal, $wanted:literal, $test:expr, $make:expr;)*) => {
        impl Generator {$(
            #[doc = concat!("Numbers of ", $what, ". See [`default_rng`] for what they depend on.")]
            ///
            /// ```
            #[doc = concat!("let x = talatat::array::default_rng(1).", $example, "?;")]
            /// assert_eq!(x.shape()?, [3]);
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            #[doc = concat!("If the parameters are not ", $wanted, ".")]
            #[track_caller]
            pub fn $name(&mut self, $($parameter: f64,)* shape: impl AsRef<[usize]>) -> Result<Array<$type>> {
                let at = Location::caller();
                let parameters: &[f64] = &[$($parameter),*];
                let possible: bool = $test;
                if !possible || !parameters.iter().all(|x| x.is_finite()) {
                    let reason = format!("the parameters {parameters:?} must be {}", $wanted);
                    return Err(Error::invalid_at(stringify!($name), reason, at));
                }
                let source = random(stringify!($name), $source, shape.as_ref(), self.draw(), at)?;
                Ok($make(source))
            }
        )*}
    };
}

const UNIT: Distribution = Distribution::Uniform { low: 0.0, high: 1.0 };
const NORMAL: Distribution = Distribution::Normal { mean: 0.0, deviation: 1.0 };

/// Minus the logarithms of numbers from 0 (excluded) to 1: exponential numbers.
fn exponential(unit: &Array<f64>) -> Array<f64> {
    -(-unit).log1p()
}

transformed! {
    random() of UNIT -> f64, "random([3])", "the uniform distribution from 0 (included) to 1 (excluded)", "as they are", true, |u| u;
    uniform(low, high) of UNIT -> f64, "uniform(-1.0, 1.0, [3])", "the uniform distribution from `low` (included) to `high` (excluded)",
        "finite bounds, the lower one first", low <= high && (high - low).is_finite(), |u: Array<f64>| u * (high - low) + low;
    standard_normal() of NORMAL -> f64, "standard_normal([3])", "the normal distribution of mean 0 and deviation 1", "as they are", true, |z| z;
    normal(mean, deviation) of NORMAL -> f64, "normal(5.0, 2.0, [3])", "the normal distribution", "a finite mean and a deviation that is not negative",
        deviation >= 0.0, |z: Array<f64>| z * deviation + mean;
    lognormal(mean, sigma) of NORMAL -> f64, "lognormal(0.0, 0.5, [3])", "the distribution whose logarithm is normal, with this mean and deviation",
        "a finite mean and a sigma that is not negative", sigma >= 0.0, |z: Array<f64>| (z * sigma + mean).exp();
    standard_exponential() of UNIT -> f64, "standard_exponential([3])", "the exponential distribution of mean 1", "as they are", true, |u: Array<f64>| exponential(&u);
    exponential(scale) of UNIT -> f64, "exponential(3.0, [3])", "the exponential distribution of mean `scale`", "a scale that is not negative", scale >= 0.0,
        |u: Array<f64>| exponential(&u) * scale;
    gumbel(loc, scale) of UNIT -> f64, "gumbel(0.0, 1.0, [3])", "the Gumbel distribution", "a finite loc and a scale that is not negative", scale >= 0.0,
        |u: Array<f64>| exponential(&u).log() * -scale + loc;
    laplace(loc, scale) of UNIT -> f64, "laplace(0.0, 1.0, [3])", "the Laplace distribution", "a finite loc and a scale that is not negative", scale >= 0.0,
        |u: Array<f64>| {
            let v = u * 2.0 - 1.0;
            v.sign() * exponential(&v.abs()) * scale + loc
        };
    logistic(loc, scale) of UNIT -> f64, "logistic(0.0, 1.0, [3])", "the logistic distribution", "a finite loc and a scale that is not negative", scale >= 0.0,
        |u: Array<f64>| {
            // Away from 0, whose logarithm is infinite.
            let u = u.maximum(f64::MIN_POSITIVE);
            (u.log() + exponential(&u)) * scale + loc
        };
    pareto(a) of UNIT -> f64, "pareto(3.0, [3])", "the Lomax distribution, NumPy's `pareto`", "a positive a", a > 0.0,
        |u: Array<f64>| (exponential(&u) / a).expm1();
    power(a) of UNIT -> f64, "power(2.0, [3])", "the power distribution, from 0 to 1", "a positive a", a > 0.0,
        |u: Array<f64>| u.power(1.0 / a);
    rayleigh(scale) of UNIT -> f64, "rayleigh(1.0, [3])", "the Rayleigh distribution", "a scale that is not negative", scale >= 0.0,
        |u: Array<f64>| (exponential(&u) * 2.0).sqrt() * scale;
    standard_cauchy() of UNIT -> f64, "standard_cauchy([3])", "the Cauchy distribution", "as they are", true,
        |u: Array<f64>| ((u - 0.5) * std::f64::consts::PI).tan();
    triangular(left, mode, right) of UNIT -> f64, "triangular(0.0, 1.0, 4.0, [3])", "the triangular distribution", "left, mode and right in this order, and not all equal",
        left <= mode && mode <= right && left < right,
        |u: Array<f64>| {
            let (base, peak) = (right - left, (mode - left) / (right - left));
            let rising = (&u * (base * (mode - left))).sqrt() + left;
            let falling = -((-&u + 1.0) * (base * (right - mode))).sqrt() + right;
            crate::array::where_(&u.less_equal(peak), rising, falling)
        };
    weibull(a) of UNIT -> f64, "weibull(2.0, [3])", "the Weibull distribution", "a positive a", a > 0.0,
        |u: Array<f64>| exponential(&u).power(1.0 / a);
    geometric(p) of UNIT -> i64, "geometric(0.25, [3])", "the geometric distribution: the trials up to the first success", "a probability above 0",
        p > 0.0 && p <= 1.0,
        |u: Array<f64>| (exponential(&u) / -(-p).ln_1p()).ceil().clip(1.0, 9.0e18).astype::<i64>();
}

/// What is drawn with as many random words as it takes: one row each, see [`Family`].
macro_rules! drawn {
    ($($name:ident($($parameter:ident),*) = $family:ident -> $type:ty, $example:literal, $what:literal;)*) => {
        impl Generator {$(
            #[doc = concat!("Numbers of ", $what, ". See [`default_rng`] for what they depend on.")]
            ///
            /// ```
            #[doc = concat!("let x = talatat::array::default_rng(1).", $example, "?;")]
            /// assert_eq!(x.shape()?, [3]);
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If the parameters make no sense; the error says what they must be.
            #[track_caller]
            pub fn $name(&mut self, $($parameter: f64,)* shape: impl AsRef<[usize]>) -> Result<Array<$type>> {
                let mut parameters = [0.0; 3];
                parameters.iter_mut().zip([$($parameter),*]).for_each(|(slot, parameter)| *slot = parameter);
                let distribution = Distribution::Family { family: Family::$family, parameters };
                random(stringify!($name), distribution, shape.as_ref(), self.draw(), Location::caller())
            }
        )*}
    };
}

drawn! {
    beta(a, b) = Beta -> f64, "beta(2.0, 3.0, [3])", "the beta distribution";
    binomial(n, p) = Binomial -> i64, "binomial(10.0, 0.3, [3])", "the binomial distribution: successes in `n` trials";
    chisquare(df) = ChiSquare -> f64, "chisquare(4.0, [3])", "the chi-square distribution";
    f(dfnum, dfden) = F -> f64, "f(4.0, 10.0, [3])", "the F distribution";
    gamma(shape_parameter, scale) = Gamma -> f64, "gamma(2.0, 3.0, [3])", "the gamma distribution";
    hypergeometric(ngood, nbad, nsample) = Hypergeometric -> i64, "hypergeometric(10.0, 20.0, 6.0, [3])", "the hypergeometric distribution: good ones among those drawn";
    logseries(p) = Logseries -> i64, "logseries(0.6, [3])", "the logarithmic series distribution";
    negative_binomial(n, p) = NegativeBinomial -> i64, "negative_binomial(3.0, 0.25, [3])", "the negative binomial distribution: failures before `n` successes";
    noncentral_chisquare(df, nonc) = NoncentralChiSquare -> f64, "noncentral_chisquare(3.0, 2.0, [3])", "the noncentral chi-square distribution";
    noncentral_f(dfnum, dfden, nonc) = NoncentralF -> f64, "noncentral_f(4.0, 10.0, 2.0, [3])", "the noncentral F distribution";
    poisson(lam) = Poisson -> i64, "poisson(3.5, [3])", "the Poisson distribution";
    standard_t(df) = StandardT -> f64, "standard_t(8.0, [3])", "Student's t distribution";
    vonmises(mu, kappa) = Vonmises -> f64, "vonmises(0.0, 2.0, [3])", "the von Mises distribution, from minus to plus pi";
    wald(mean, scale) = Wald -> f64, "wald(2.0, 3.0, [3])", "the inverse Gaussian distribution";
    zipf(a) = Zipf -> i64, "zipf(3.0, [3])", "the zeta distribution";
}
