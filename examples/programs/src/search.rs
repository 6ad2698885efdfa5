//! Hyper-parameters of a random forest, found by cross-validation: each combination and fold is a call, all of them are one graph, and the best one is
//! trained on all data in the same graph.

use std::sync::Arc;

use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;
use talatat::prelude::*;

/// Points in the plane and which of two spirals each is on.
#[derive(Clone, Debug)]
pub struct Data {
    points: Vec<Vec<f64>>,
    labels: Vec<u32>,
}

impl Data {
    /// Two spirals with noise, the same each time.
    pub fn spirals(count: u32) -> Data {
        let noise = |number: u32| f64::from(number.wrapping_mul(2_654_435_769) >> 16) / 65_536.0 - 0.5;
        let point = |number: u32| {
            let (label, turn) = (number % 2, f64::from(number / 2) / f64::from(count) * 10.0 + 0.5);
            let angle = turn + f64::from(label) * std::f64::consts::PI;
            let at = |coordinate: f64, salt: u32| turn * coordinate + 0.6 * noise(number * 2 + salt);
            (vec![at(angle.cos(), 0), at(angle.sin(), 1)], label)
        };
        let (points, labels) = (0..count).map(point).unzip();
        Data { points, labels }
    }

    /// The points whose numbers are chosen.
    fn select(&self, choose: impl Fn(usize) -> bool) -> Data {
        let chosen: Vec<usize> = (0..self.labels.len()).filter(|&number| choose(number)).collect();
        Data {
            points: chosen.iter().map(|&number| self.points[number].clone()).collect(),
            labels: chosen.iter().map(|&number| self.labels[number]).collect(),
        }
    }
}

/// One combination of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// How many trees.
    pub trees: u16,
    /// How deep they may grow.
    pub depth: u16,
    /// How many points a leaf must have.
    pub leaf: usize,
}

/// All combinations.
pub fn grid() -> Vec<Parameters> {
    let mut grid = Vec::new();
    for trees in [1, 9] {
        for depth in [2, 5, 12] {
            grid.extend([1, 8].map(|leaf| Parameters { trees, depth, leaf }));
        }
    }
    grid
}

/// Trains a forest and tells which part of the points of `test` it gets right.
fn score(parameters: Parameters, train: &Data, test: &Data) -> Result<f64, Failed> {
    let options = RandomForestClassifierParameters::default()
        .with_n_trees(parameters.trees)
        .with_max_depth(parameters.depth)
        .with_min_samples_leaf(parameters.leaf)
        .with_seed(7);
    let forest = RandomForestClassifier::fit(&DenseMatrix::from_2d_vec(&train.points)?, &train.labels, options)?;
    let found: Vec<u32> = forest.predict(&DenseMatrix::from_2d_vec(&test.points)?)?;
    let right = found.iter().zip(&test.labels).filter(|(found, label)| found == label).count();
    Ok(right as f64 / test.labels.len() as f64)
}

/// What a search finds.
pub type Found = ((Parameters, f64), f64);

/// The combination with the best mean score over the folds, that score, and its score on points that were not looked at before: lazily. Of
/// every fifth point nothing is known until the end.
pub fn search(data: Data, grid: Vec<Parameters>, folds: usize) -> Delayed<Found> {
    let (train, test) = (Arc::new(data.select(|n| n % 5 != 4)), Arc::new(data.select(|n| n % 5 == 4)));
    let known = train.clone();
    let of_fold = try_delayed(move |parameters: Parameters, fold: usize| {
        let (rest, part) = (known.select(|n| n / 2 % folds != fold), known.select(|n| n / 2 % folds == fold));
        score(parameters, &rest, &part)
    })
    .named("score");
    let mean = delayed(|parameters: Parameters, scores: Vec<f64>| {
        (parameters, scores.iter().sum::<f64>() / scores.len() as f64)
    })
    .named("mean");
    let means: Vec<_> = (grid.into_iter())
        .map(|parameters| {
            let scores: Vec<_> = (0..folds).map(|fold| of_fold.call((Lit(parameters), fold))).collect();
            mean.call((Lit(parameters), scores))
        })
        .collect();
    let best = delayed(|means: Vec<(Parameters, f64)>| {
        let better = |best: (Parameters, f64), next: (Parameters, f64)| if next.1 > best.1 { next } else { best };
        means.into_iter().reduce(better)
    })
    .named("best");
    let last = try_delayed(move |best: Option<(Parameters, f64)>| match best {
        Some(best) => Ok((best, score(best.0, &train, &test).map_err(|error| error.to_string())?)),
        None => Err("there is nothing to choose from".to_string()),
    })
    .named("train the best");
    last.call(best.call(means))
}
