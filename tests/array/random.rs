//! Random arrays: moments of the distributions, and that nothing but seed and index matters.

use talatat::array::{Array, Generator, arange, default_rng};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Result, Session};

use crate::common::builder;
use crate::oracle::everywhere;

const COUNT: usize = 20_000;

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

type Draw = fn(&mut Generator, usize) -> Result<Array<f64>>;

/// Name, call, mean and variance.
const TABLE: &[(&str, Draw, f64, f64)] = {
    use std::f64::consts::PI;
    const EULER: f64 = 0.577_215_664_901_532_9;
    &[
        ("random", |rng, n| rng.random([n]), 0.5, 1.0 / 12.0),
        ("uniform", |rng, n| rng.uniform(-1.0, 3.0, [n]), 1.0, 16.0 / 12.0),
        ("standard_normal", |rng, n| rng.standard_normal([n]), 0.0, 1.0),
        ("normal", |rng, n| rng.normal(5.0, 2.0, [n]), 5.0, 4.0),
        ("lognormal", |rng, n| rng.lognormal(0.0, 0.5, [n]), 1.133_148_453_066_826_3, 0.364_695_838_846_711_6),
        ("standard_exponential", |rng, n| rng.standard_exponential([n]), 1.0, 1.0),
        ("exponential", |rng, n| rng.exponential(3.0, [n]), 3.0, 9.0),
        ("gumbel", |rng, n| rng.gumbel(1.0, 2.0, [n]), 1.0 + 2.0 * EULER, PI * PI * 4.0 / 6.0),
        ("laplace", |rng, n| rng.laplace(1.0, 2.0, [n]), 1.0, 8.0),
        ("logistic", |rng, n| rng.logistic(1.0, 2.0, [n]), 1.0, 4.0 * PI * PI / 3.0),
        ("pareto", |rng, n| rng.pareto(6.0, [n]), 0.2, 6.0 / (25.0 * 4.0)),
        ("power", |rng, n| rng.power(3.0, [n]), 0.75, 3.0 / 80.0),
        ("rayleigh", |rng, n| rng.rayleigh(2.0, [n]), 2.506_628_274_631_000_2, (4.0 - PI) / 2.0 * 4.0),
        ("triangular", |rng, n| rng.triangular(0.0, 1.0, 4.0, [n]), 5.0 / 3.0, 13.0 / 18.0),
        ("weibull", |rng, n| rng.weibull(2.0, [n]), 0.886_226_925_452_758, 1.0 - PI / 4.0),
        ("geometric", |rng, n| Ok(rng.geometric(0.25, [n])?.astype()), 4.0, 12.0),
        ("integers", |rng, n| Ok(rng.integers(-3, 4, [n])?.astype()), 0.0, 4.0),
        ("gamma", |rng, n| rng.gamma(2.0, 3.0, [n]), 6.0, 18.0),
        ("poisson", |rng, n| Ok(rng.poisson(3.5, [n])?.astype()), 3.5, 3.5),
        ("binomial", |rng, n| Ok(rng.binomial(10.0, 0.3, [n])?.astype()), 3.0, 2.1),
        ("choice_weighted", |rng, n| Ok(rng.choice_weighted(3, &[1.0, 1.0, 2.0], [n])?.astype()), 1.25, 0.6875),
    ]
};

#[test]
fn moments_are_those_of_the_distributions() {
    for &(name, draw, mean, variance) in TABLE {
        let x = draw(&mut default_rng(11), COUNT).unwrap();
        let centred = &x - mean;
        let moments =
            (x.mean(..).unwrap(), (&centred * &centred).mean(..).unwrap(), centred.power(4.0).mean(..).unwrap());
        let (found, spread, fourth) = moments.compute_on(&session()).unwrap();
        let (found, spread, fourth): (f64, f64, f64) = (found[[]], spread[[]], fourth[[]]);
        let n = COUNT as f64;
        assert!((found - mean).abs() < 6.0 * (variance / n).sqrt(), "{name}: mean {found}, not {mean}");
        let error = 6.0 * ((fourth - spread * spread).max(0.0) / n).sqrt();
        assert!((spread - variance).abs() < error, "{name}: variance {spread}, not {variance}");
    }
}

#[test]
fn half_of_the_cauchy_numbers_are_near_0() {
    let near = default_rng(2).standard_cauchy([COUNT]).unwrap().abs().less(1.0).sum(..).unwrap().item().unwrap();
    let near = near.compute_on(&session()).unwrap() as f64;
    assert!((near - COUNT as f64 / 2.0).abs() < 6.0 * (COUNT as f64 / 4.0).sqrt(), "{near}");
}

#[test]
fn neither_chunks_nor_executors_matter() {
    for &(name, draw, ..) in TABLE {
        let x = draw(&mut default_rng(3), 60).unwrap();
        let whole = everywhere(&x);
        assert_eq!(everywhere(&x.rechunk(7).unwrap()), whole, "{name}");
        let again = draw(&mut default_rng(3), 60).unwrap();
        assert_eq!(again.key().unwrap(), x.key().unwrap(), "{name}");
        assert_ne!(draw(&mut default_rng(4), 60).unwrap().compute_on(&session()).unwrap(), whole, "{name}");
    }
}

#[test]
fn a_long_permutation_has_each_number_once_and_takes_no_memory() {
    let length = (1 << 20) + 3;
    let order = default_rng(1).permutation(length).unwrap();
    let mut seen = order.rechunk(100_000).unwrap().compute_on(&session()).unwrap().into_raw_vec_and_offset().0;
    assert!(!seen.is_sorted());
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..length as i64));
    // A few of very many.
    let few = default_rng(1).choice(1 << 40, [5], false).unwrap().compute_on(&session()).unwrap();
    assert!(few.iter().all(|x| (0..1 << 40).contains(x)));
}

#[test]
fn choices_and_shuffles_are_of_the_elements() {
    let x = arange::<i64>(0, 24, 1).unwrap().reshape([6, 4]).unwrap().rechunk(2).unwrap();
    let mut rng = default_rng(9);
    let rows = everywhere(&rng.shuffle(&x, 0).unwrap());
    let mut firsts: Vec<i64> = rows.index_axis(ndarray::Axis(1), 0).iter().copied().collect();
    assert!(!firsts.is_sorted());
    firsts.sort_unstable();
    assert_eq!(firsts, [0, 4, 8, 12, 16, 20]);
    assert!(rows.rows().into_iter().all(|row| row.iter().zip(row[0]..).all(|(a, b)| *a == b)));
    let columns = everywhere(&rng.shuffle(&x, -1).unwrap());
    assert_eq!(columns.sum_axis(ndarray::Axis(1)), x.sum(1).unwrap().compute_on(&session()).unwrap());
    let chosen = everywhere(&rng.choice(&x, [3], false).unwrap());
    assert_eq!(chosen.shape(), [3, 4]);
    assert!(rng.choice(&x, [7], false).is_err() && rng.choice(0, [1], true).is_err());
    assert_eq!(rng.choice(0, [0], true).unwrap().shape().unwrap(), [0]);
    assert!(rng.choice_weighted(2, &[0.0, 0.0], [1]).is_err() && rng.choice_weighted(2, &[1.0], [1]).is_err());
    assert!(rng.choice_weighted(2, &[1.0, f64::NAN], [1]).is_err());
}
