//! `float16` and complex numbers beyond NumPy's table of answers: creation, scalars, files, and what is refused.

use ndarray::array;
use talatat::array::{
    self, Array, C64, C128, Complex, DType, Element, arange, eye, f16, from_ndarray, full, indices, ones, open_npy,
    where_, zeros,
};
use talatat::prelude::*;

use crate::oracle::everywhere;

fn halves(values: &[f32]) -> Vec<f16> {
    values.iter().map(|&value| f16::from_f32(value)).collect()
}

fn list<T: Element>(array: &Array<T>) -> Vec<T> {
    everywhere(array).into_raw_vec_and_offset().0
}

const I: C128 = Complex { re: 0.0, im: 1.0 };

#[test]
fn creations() {
    // Beyond 2048 a half has no odd numbers: each element is rounded by itself.
    let count = arange(f16::ZERO, f16::from_f32(3000.0), f16::ONE).unwrap();
    assert_eq!(count.shape().unwrap(), [3000]);
    assert_eq!(list(&count)[2047..2052], halves(&[2047.0, 2048.0, 2048.0, 2050.0, 2052.0]));
    let diagonal = arange(I, I * 4.0 + 3.0, I + 1.0).unwrap();
    assert_eq!(list(&diagonal), [I, I * 2.0 + 1.0, I * 3.0 + 2.0]);
    assert!(arange(I, I, I * 0.0).is_err());
    assert_eq!(list(&eye::<C64>(2, 2, 1)), [0.0, 1.0, 0.0, 0.0].map(C64::from));
    assert_eq!(list(&ones::<f16>([2])), halves(&[1.0, 1.0]));
    assert_eq!(zeros::<C128>([3, 4]).nbytes().unwrap(), 192);
    assert_eq!(indices::<f16>([2]).map(|all| list(&all)).unwrap_or_default().len(), 2);
}

#[test]
fn scalars_and_types() {
    let x = from_ndarray(array![I, I + 2.0], 1).unwrap();
    assert_eq!(list(&(&x * I + C128::from(1.0))), [C128::from(0.0), I * 2.0]);
    assert_eq!(list(&(I - &x)), [C128::from(0.0), C128::from(-2.0)]);
    assert_eq!((&x + ones::<f32>([2])).dtype(), DType::C128);
    assert_eq!((ones::<C64>([2]) * ones::<i16>([2])).dtype(), DType::C64);
    assert_eq!((ones::<f16>([2]) + ones::<u8>([2])).dtype(), DType::F16);
    assert_eq!((ones::<f16>([2]) + ones::<u16>([2])).dtype(), DType::F32);
    assert_eq!(
        (x.abs().dtype(), x.var(..).unwrap().dtype(), x.mean(..).unwrap().dtype()),
        (DType::F64, DType::F64, DType::C128)
    );
    let chosen = where_(&x.isreal(), 0.5_f32, &x);
    assert_eq!((list(&chosen), chosen.dtype()), (vec![I, I + 2.0], DType::C128));
    assert_eq!(list(&full([1], f16::from_f32(0.1)).astype::<f64>()), [0.0999755859375]);
    assert_eq!(x.sum(..).unwrap().item().unwrap().compute().unwrap(), I * 2.0 + 2.0);
}

#[test]
fn files() {
    let url = |name: &str| format!("memory://dtypes/{name}.npy");
    let x = arange(C128::from(0.0), C128::from(24.0), C128::from(1.0)).unwrap().reshape([4, 6]).unwrap() * (I + 0.5);
    for rows in [1, 3, 4] {
        x.rechunk([rows, 4]).unwrap().to_npy(&url("c16")).unwrap();
        let back = open_npy::<C128>(&url("c16"), [2, 5]).unwrap();
        assert_eq!(list(&back), list(&x));
        assert_eq!(
            list(&back.t().slice(ndarray::s![1..;2, ..;-1]).unwrap()),
            list(&x.t().slice(ndarray::s![1..;2, ..;-1]).unwrap())
        );
    }
    let single = x.astype::<C64>();
    single.to_npy(&url("c8")).unwrap();
    assert_eq!(list(&open_npy::<C64>(&url("c8"), 3).unwrap()), list(&single));
    let half = x.real().astype::<f16>();
    half.to_npy(&url("f2")).unwrap();
    assert_eq!(list(&open_npy::<f16>(&url("f2"), 3).unwrap()), list(&half));
    let wrong = open_npy::<f32>(&url("f2"), 3).unwrap_err().to_string();
    assert!(wrong.contains("float16"), "{wrong}");
}

/// What NumPy has no meaning for on complex numbers is refused, not computed of the real parts.
#[test]
fn no_real_parts_by_accident() {
    let x = ones::<C128>([2]);
    let refused = |result: talatat::Result<()>, name: &str| {
        let text = result.expect_err(name).to_string();
        assert!(text.contains(name) && text.contains("complex128"), "{text}");
    };
    refused(x.floor().check(), "floor");
    refused(x.ceil().check(), "ceil");
    refused(x.trunc().check(), "trunc");
    refused(x.cbrt().check(), "cbrt");
    refused(x.degrees().check(), "degrees");
    refused(x.signbit().check(), "signbit");
    refused(x.spacing().check(), "spacing");
    refused(x.i0().check(), "i0");
    refused(x.invert().check(), "invert");
    refused(x.frexp().0.check(), "frexp");
    refused(x.isposinf().check(), "isposinf");
    refused((&x % &x).check(), "remainder");
    refused((&x & &x).check(), "bitwise_and");
    refused(x.floor_divide(&x).check(), "floor_divide");
    refused(x.fmod(1.0).check(), "fmod");
    refused(x.hypot(&x).check(), "hypot");
    refused(x.arctan2(1.0).check(), "arctan2");
    refused(x.copysign(1.0).check(), "copysign");
    refused(x.gcd(&x).check(), "gcd");
    refused(x.heaviside(1.0).check(), "heaviside");
    refused(x.ldexp(1_i32).check(), "ldexp");
    refused(x.quantile(0.5, .., array::Method::Linear).map(|_| ()), "quantile");
    refused(x.median(..).map(|_| ()), "median");
    refused(ones::<C128>([2, 3]).cov(1).map(|_| ()), "cov");
    refused(x.bincount(0).map(|_| ()), "bincount");
    assert!(x.fabs().check().is_err() && x.modf().0.check().is_err() && x.divmod(&x).1.check().is_err());
}
