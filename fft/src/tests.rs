use std::f64::consts::TAU;

use super::*;

fn numbers(length: usize) -> Vec<Complex<f64>> {
    (0..length).map(|at| Complex::new((at * at % 7) as f64 - 3.0, (at * 5 % 11) as f64 - 5.0)).collect()
}

/// The definition.
fn slow(line: &[Complex<f64>], length: usize, sign: f64) -> Vec<Complex<f64>> {
    let term = |(at, value): (usize, &Complex<f64>), to: usize| {
        value * Complex::from_polar(1.0, sign * TAU * ((at * to) % length) as f64 / length as f64)
    };
    let sum = |to: usize| line.iter().take(length).enumerate().map(|own| term(own, to)).sum();
    (0..length).map(sum).collect()
}

fn assert_near(found: &[Complex<f64>], expected: &[Complex<f64>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).norm() < 1e-10, "{what}: {a} for {b}");
    }
}

const LENGTHS: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 31, 37, 49, 60, 64, 97, 128, 131, 5000];

#[test]
fn transforms_are_the_sums_of_the_definition() -> Result<()> {
    for &length in LENGTHS.iter().filter(|&&length| length < 1000) {
        for given in [length, length / 2, length + 3] {
            let line = numbers(given);
            for (inverse, sign) in [(false, -1.0), (true, 1.0)] {
                let mut made = vec![Complex::default(); length];
                Complexes::new(length, inverse, 2.0)?.run(&line, &mut made)?;
                let expected: Vec<_> = slow(&line, length, sign).iter().map(|value| value * 2.0).collect();
                assert_near(&made, &expected, &format!("{given} as {length}, inverse: {inverse}"));
            }
        }
    }
    Ok(())
}

#[test]
fn real_lines_are_complex_lines() -> Result<()> {
    for &length in LENGTHS {
        let line: Vec<f64> = numbers(length).iter().map(|value| value.re).collect();
        let complex: Vec<Complex<f64>> = line.iter().map(|&value| value.into()).collect();
        for inverse in [false, true] {
            let (mut whole, mut expected) = (vec![Complex::default(); length], vec![Complex::default(); length]);
            Complexes::new(length, inverse, 0.5)?.run(&complex, &mut expected)?;
            Reals::new(length, Shape::Whole { inverse }, 0.5)?.run(&line, &mut whole)?;
            assert_near(&whole, &expected, &format!("{length}, inverse: {inverse}"));
        }
        let mut half = vec![Complex::default(); length / 2 + 1];
        Reals::new(length, Shape::Half, 1.0)?.run(&line, &mut half)?;
        let mut back = vec![0.0; length];
        Halves::new(length, 1.0 / length as f64)?.run(&half, &mut back)?;
        let near = back.iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-10);
        assert!(near, "{length}: {back:?} for {line:?}");
    }
    Ok(())
}

#[test]
fn what_has_no_place_in_a_half_is_left_out() -> Result<()> {
    let (mut made, mut expected) = ([0.0; 4], [0.0; 4]);
    let mut transform = Halves::new(4, 1.0)?;
    transform.run(&[Complex::new(1.0, 9.0), Complex::new(2.0, 3.0), Complex::new(4.0, -9.0)], &mut made)?;
    transform.run(&[Complex::new(1.0, 0.0), Complex::new(2.0, 3.0), Complex::new(4.0, 0.0)], &mut expected)?;
    assert_eq!(made, expected);
    Ok(())
}

#[test]
fn wrong_lengths_are_errors() {
    assert_eq!(Complexes::<f32>::new(0, false, 1.0).err(), Some(FftError::Empty));
    assert_eq!(Reals::<f32>::new(0, Shape::Half, 1.0).err(), Some(FftError::Empty));
    assert_eq!(Halves::<f32>::new(0, 1.0).err(), Some(FftError::Empty));
    let run = Complexes::<f32>::new(4, false, 1.0).and_then(|mut line| line.run(&[], &mut [Complex::default(); 3]));
    assert_eq!(run, Err(FftError::Length { expected: 4, found: 3 }));
}

#[test]
fn many_lengths_are_planned_in_turn() -> Result<()> {
    for length in (1..200).chain(1..20) {
        assert_eq!(Complexes::<f64>::new(length, false, 1.0)?.makes(), length);
    }
    Ok(())
}
