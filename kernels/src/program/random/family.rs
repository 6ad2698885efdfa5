//! Distributions whose numbers take now more, now fewer random words: each element has a stream of its own.

use rand::rand_core::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::Distribution as _;
use rand_distr::{
    Beta, Binomial, ChiSquared, FisherF, Gamma, Hypergeometric, InverseGaussian, Poisson, StandardNormal, StudentT,
    Zeta,
};
use serde::{Deserialize, Serialize};

use super::unit;
use crate::dtype::DType;

/// Draws one number.
pub(super) type Sampler = Box<dyn Fn(&mut ChaCha8Rng) -> f64>;

/// Defines the distributions: variant, NumPy's name, element type, what its parameters must be, and how a number is drawn.
macro_rules! families {
    ($($variant:ident $name:literal $dtype:ident, $wanted:literal, $make:expr;)*) => {
        /// A distribution of up to three parameters, by NumPy's name and with NumPy's parameters in NumPy's order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Family {
            $(
                #[doc = concat!("`", $name, "` with ", $wanted, ".")]
                $variant,
            )*
        }

        impl Family {
            /// All of them.
            pub const ALL: &[Family] = &[$(Family::$variant),*];

            /// NumPy's name.
            pub fn name(self) -> &'static str {
                match self { $(Family::$variant => $name),* }
            }

            /// The type of its numbers.
            pub fn dtype(self) -> DType {
                match self { $(Family::$variant => DType::$dtype),* }
            }

            /// What its parameters must be.
            pub fn wanted(self) -> &'static str {
                match self { $(Family::$variant => $wanted),* }
            }

            /// How a number is drawn; none if the parameters make no sense.
            pub(super) fn sampler(self, parameters: [f64; 3]) -> Option<Sampler> {
                if parameters.iter().any(|x| !x.is_finite()) {
                    return None;
                }
                let make: fn([f64; 3]) -> Option<Sampler> = match self { $(Family::$variant => $make),* };
                make(parameters)
            }
        }
    };
}

families! {
    Gamma "gamma" F64, "a positive shape and scale", |[shape, scale, _]| plain(Gamma::new(shape, scale));
    Beta "beta" F64, "two positive parameters", |[a, b, _]| plain(Beta::new(a, b));
    ChiSquare "chisquare" F64, "positive degrees of freedom", |[df, ..]| plain(ChiSquared::new(df));
    F "f" F64, "positive degrees of freedom", |[above, below, _]| plain(FisherF::new(above, below));
    StandardT "standard_t" F64, "positive degrees of freedom", |[df, ..]| plain(StudentT::new(df));
    Wald "wald" F64, "a positive mean and scale", |[mean, scale, _]| plain(InverseGaussian::new(mean, scale));
    Poisson "poisson" I64, "a mean that is not negative, up to 1e18", |[mean, ..]| poisson(mean);
    Zipf "zipf" I64, "a parameter above 1", |[a, ..]| plain(Zeta::new(a));
    Binomial "binomial" I64, "a whole number of trials that is not negative, and a probability", |[trials, p, _]| {
        counts(Binomial::new(whole(trials)?, p))
    };
    NegativeBinomial "negative_binomial" I64, "a positive number of successes and a probability above 0", |[n, p, _]| {
        negative_binomial(n, p)
    };
    Hypergeometric "hypergeometric" I64, "whole numbers that are not negative, and no more drawn than there are", |[good, bad, drawn]| {
        let (good, bad, drawn) = (whole(good)?, whole(bad)?, whole(drawn)?);
        counts(Hypergeometric::new(good + bad, good, drawn))
    };
    Logseries "logseries" I64, "a probability from 0 to below 1", |[p, ..]| logseries(p);
    Vonmises "vonmises" F64, "a finite mean and a concentration that is not negative", |[mean, kappa, _]| vonmises(mean, kappa);
    NoncentralChiSquare "noncentral_chisquare" F64, "positive degrees of freedom and a noncentrality that is not negative",
        |[df, noncentrality, _]| noncentral_chisquare(df, noncentrality);
    NoncentralF "noncentral_f" F64, "positive degrees of freedom and a noncentrality that is not negative",
        |[above, below, noncentrality]| {
            let (first, second) = (noncentral_chisquare(above, noncentrality)?, plain(ChiSquared::new(below))?);
            Some(Box::new(move |rng| (first(rng) / above) / (second(rng) / below)))
        };
}

/// A distribution of floats.
fn plain<D: rand_distr::Distribution<f64> + 'static, E>(made: Result<D, E>) -> Option<Sampler> {
    let distribution = made.ok()?;
    Some(Box::new(move |rng| distribution.sample(rng)))
}

/// A distribution of counts.
fn counts<D: rand_distr::Distribution<u64> + 'static, E>(made: Result<D, E>) -> Option<Sampler> {
    let distribution = made.ok()?;
    Some(Box::new(move |rng| distribution.sample(rng) as f64))
}

/// A whole number that a float holds.
fn whole(x: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    ((0.0..=EXACT).contains(&x) && x.fract() == 0.0).then_some(x as u64)
}

fn poisson(mean: f64) -> Option<Sampler> {
    match mean {
        0.0 => Some(Box::new(|_| 0.0)),
        mean if mean <= 1e18 => plain(Poisson::new(mean)),
        _ => None,
    }
}

/// Poisson numbers whose mean is a gamma number.
fn negative_binomial(n: f64, p: f64) -> Option<Sampler> {
    if !(p > 0.0 && p <= 1.0) {
        return None;
    }
    if p == 1.0 {
        return (n > 0.0).then(|| Box::new(|_: &mut ChaCha8Rng| 0.0) as Sampler);
    }
    let means = Gamma::new(n, (1.0 - p) / p).ok()?;
    Some(Box::new(move |rng| {
        let mean = means.sample(rng);
        if mean > 0.0 { Poisson::new(mean).map_or(0.0, |counts| counts.sample(rng)) } else { 0.0 }
    }))
}

/// By inversion of the distribution whose parameter is itself drawn (Kemp, *Efficient generation of logarithmically distributed
/// pseudo-random variables*, 1981).
fn logseries(p: f64) -> Option<Sampler> {
    if !(0.0..1.0).contains(&p) {
        return None;
    }
    let log = (-p).ln_1p();
    Some(Box::new(move |rng| {
        let v = unit(rng.next_u64());
        if v >= p {
            return 1.0;
        }
        let u = 1.0 - unit(rng.next_u64());
        let q = -(log * u).exp_m1();
        if v <= q * q {
            let k = (1.0 + v.ln() / q.ln()).floor();
            // A v of 0 has no logarithm: the largest count that can be told.
            return if k.is_finite() { k.max(1.0) } else { 9_007_199_254_740_992.0 };
        }
        if v >= q { 1.0 } else { 2.0 }
    }))
}

/// By rejection from a wrapped Cauchy distribution (Best & Fisher, *Efficient simulation of the von Mises distribution*, 1979).
fn vonmises(mean: f64, kappa: f64) -> Option<Sampler> {
    use std::f64::consts::PI;
    if kappa < 0.0 {
        return None;
    }
    let wrapped = move |angle: f64| (angle + PI).rem_euclid(2.0 * PI) - PI;
    if kappa < 1e-8 {
        return Some(Box::new(move |rng| wrapped(mean + PI * (2.0 * unit(rng.next_u64()) - 1.0))));
    }
    let tau = 1.0 + (1.0 + 4.0 * kappa * kappa).sqrt();
    // For small concentrations the difference would lose its digits.
    let rho = if kappa < 1e-5 { kappa / 2.0 } else { (tau - (2.0 * tau).sqrt()) / (2.0 * kappa) };
    let r = (1.0 + rho * rho) / (2.0 * rho);
    Some(Box::new(move |rng| {
        loop {
            let z = (PI * unit(rng.next_u64())).cos();
            let f = (1.0 + r * z) / (r + z);
            let c = kappa * (r - f);
            let u = 1.0 - unit(rng.next_u64());
            if c * (2.0 - c) - u > 0.0 || (c / u).ln() + 1.0 - c >= 0.0 {
                let angle = f.clamp(-1.0, 1.0).acos();
                let signed = if rng.next_u64() >> 63 == 0 { angle } else { -angle };
                return wrapped(mean + signed);
            }
        }
    }))
}

/// With more than one degree of freedom one of them is a shifted normal number; with fewer they are themselves drawn.
fn noncentral_chisquare(df: f64, noncentrality: f64) -> Option<Sampler> {
    if noncentrality < 0.0 || df <= 0.0 {
        return None;
    }
    if df > 1.0 {
        let rest = ChiSquared::new(df - 1.0).ok()?;
        let shift = noncentrality.sqrt();
        return Some(Box::new(move |rng| {
            let normal: f64 = StandardNormal.sample(rng);
            rest.sample(rng) + (normal + shift).powi(2)
        }));
    }
    let extra = poisson(noncentrality / 2.0)?;
    Some(Box::new(move |rng| {
        let df = df + 2.0 * extra(rng);
        ChiSquared::new(df).map_or(f64::NAN, |all| all.sample(rng))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::{Distribution, run_random};
    use super::*;
    use crate::lane::{Slice, SliceMut};

    const COUNT: usize = 10_000;

    fn draw(family: Family, parameters: [f64; 3], places: &[i64]) -> Vec<f64> {
        let distribution = Distribution::Family { family, parameters };
        distribution.check().unwrap();
        if family.dtype() == DType::I64 {
            let mut out = vec![0_i64; places.len()];
            run_random(distribution, 5, Slice::I64(places), &mut SliceMut::I64(&mut out));
            return out.into_iter().map(|x| x as f64).collect();
        }
        let mut out = vec![0.0; places.len()];
        run_random(distribution, 5, Slice::I64(places), &mut SliceMut::F64(&mut out));
        out
    }

    /// Parameters, mean and variance of each distribution, from its textbook formulas.
    fn expected(family: Family) -> Vec<([f64; 3], f64, f64)> {
        match family {
            Family::Gamma => vec![([2.0, 3.0, 0.0], 6.0, 18.0), ([0.5, 1.0, 0.0], 0.5, 0.5)],
            Family::Beta => vec![([2.0, 3.0, 0.0], 0.4, 0.04)],
            Family::ChiSquare => vec![([4.0, 0.0, 0.0], 4.0, 8.0)],
            Family::F => vec![([4.0, 10.0, 0.0], 1.25, 2.0 * 100.0 * 12.0 / (4.0 * 64.0 * 6.0))],
            Family::StandardT => vec![([8.0, 0.0, 0.0], 0.0, 8.0 / 6.0)],
            Family::Wald => vec![([2.0, 3.0, 0.0], 2.0, 8.0 / 3.0)],
            Family::Poisson => {
                vec![([3.5, 0.0, 0.0], 3.5, 3.5), ([200.0, 0.0, 0.0], 200.0, 200.0), ([0.0; 3], 0.0, 0.0)]
            }
            Family::Zipf => vec![([5.0, 0.0, 0.0], 1.082_323_233_711_138 / 1.036_927_755_143_37, {
                let (zeta3, zeta4, zeta5) = (1.202_056_903_159_594, 1.082_323_233_711_138, 1.036_927_755_143_37);
                zeta3 / zeta5 - f64::powi(zeta4 / zeta5, 2)
            })],
            Family::Binomial => {
                vec![([10.0, 0.3, 0.0], 3.0, 2.1), ([1000.0, 0.5, 0.0], 500.0, 250.0), ([0.0, 0.5, 0.0], 0.0, 0.0)]
            }
            Family::NegativeBinomial => vec![([3.0, 0.25, 0.0], 9.0, 36.0), ([2.0, 1.0, 0.0], 0.0, 0.0)],
            Family::Hypergeometric => vec![([10.0, 20.0, 6.0], 2.0, 6.0 * (1.0 / 3.0) * (2.0 / 3.0) * 24.0 / 29.0)],
            Family::Logseries => {
                let (p, log) = (0.6_f64, (1.0_f64 - 0.6).ln());
                vec![
                    ([p, 0.0, 0.0], -p / (log * (1.0 - p)), -p * (p + log) / (log * (1.0 - p)).powi(2)),
                    ([0.0; 3], 1.0, 0.0),
                ]
            }
            // The circular mean is that of the line for a distribution around 0; its variance by numerical integration.
            Family::Vonmises => vec![
                ([0.0, 0.0, 0.0], 0.0, std::f64::consts::PI.powi(2) / 3.0),
                ([0.0, 2.0, 0.0], 0.0, variance_of_vonmises(2.0)),
            ],
            Family::NoncentralChiSquare => vec![([3.0, 2.0, 0.0], 5.0, 14.0), ([0.5, 2.0, 0.0], 2.5, 9.0)],
            Family::NoncentralF => vec![([4.0, 10.0, 2.0], 10.0 * 6.0 / (4.0 * 8.0), {
                let (m, n, l) = (4.0_f64, 10.0_f64, 2.0_f64);
                2.0 * ((m + l).powi(2) + (m + 2.0 * l) * (n - 2.0)) / ((n - 2.0).powi(2) * (n - 4.0)) * (n / m).powi(2)
            })],
        }
    }

    fn variance_of_vonmises(kappa: f64) -> f64 {
        let steps = 100_000;
        let at = |k: i32| std::f64::consts::PI * (2.0 * f64::from(k) / f64::from(steps) - 1.0);
        let weight = |x: f64| (kappa * x.cos()).exp();
        let total: f64 = (0..steps).map(|k| weight(at(k))).sum();
        (0..steps).map(|k| at(k).powi(2) * weight(at(k))).sum::<f64>() / total
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let places: Vec<i64> = (0..COUNT as i64).collect();
        for &family in Family::ALL {
            for (parameters, mean, variance) in expected(family) {
                let x = draw(family, parameters, &places);
                let n = COUNT as f64;
                let found = x.iter().sum::<f64>() / n;
                let spread = x.iter().map(|x| (x - found).powi(2)).sum::<f64>() / n;
                let fourth = x.iter().map(|x| (x - found).powi(4)).sum::<f64>() / n;
                let name = family.name();
                // Six standard errors; heavy tails make the variance's own error large.
                assert!(
                    (found - mean).abs() <= 6.0 * (variance / n).sqrt(),
                    "{name} {parameters:?}: mean {found}, not {mean}"
                );
                let error = 6.0 * ((fourth - spread * spread).max(0.0) / n).sqrt();
                assert!((spread - variance).abs() <= error, "{name} {parameters:?}: variance {spread}, not {variance}");
            }
        }
    }

    #[test]
    fn an_element_depends_on_its_place_alone() {
        let places: Vec<i64> = (0..50).collect();
        for &family in Family::ALL {
            let (parameters, ..) = expected(family)[0];
            let all = draw(family, parameters, &places);
            assert_eq!(
                draw(family, parameters, &[7, 7, 3, 49]),
                [all[7], all[7], all[3], all[49]],
                "{}",
                family.name()
            );
        }
    }

    #[test]
    fn bad_parameters_are_errors() {
        for &family in Family::ALL {
            for bad in [[-1.0, -1.0, -1.0], [f64::NAN; 3], [f64::INFINITY; 3]] {
                let refused = Distribution::Family { family, parameters: bad }.check();
                assert!(refused.is_err(), "{} {bad:?}", family.name());
            }
        }
        for (family, bad) in [
            (Family::Binomial, [1.5, 0.5, 0.0]),
            (Family::Binomial, [3.0, 1.1, 0.0]),
            (Family::Zipf, [1.0, 0.0, 0.0]),
            (Family::Hypergeometric, [1.0, 2.0, 4.0]),
            (Family::Logseries, [1.0, 0.0, 0.0]),
            (Family::NegativeBinomial, [1.0, 0.0, 0.0]),
        ] {
            assert!(Distribution::Family { family, parameters: bad }.check().is_err(), "{} {bad:?}", family.name());
        }
    }
}
