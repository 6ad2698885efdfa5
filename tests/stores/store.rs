//! Targets of users' own: every element arrives once, in regions of whole chunks.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use ndarray::{ArrayD, ArrayViewD, IxDyn, s};
use proptest::prelude::*;
use talatat::array::{Array, StoreFailure, StoreTarget, StoreWrite, from_ndarray};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};

use crate::common::builder;
use crate::{SESSIONS, numbered, session};

type Regions = Vec<Vec<Range<usize>>>;

/// Counts how often each element is written, and notes the regions.
struct Counting {
    shape: Vec<usize>,
    chunks: Option<Vec<usize>>,
    written: Mutex<(ArrayD<i32>, ArrayD<u8>, Regions)>,
    finished: Mutex<usize>,
}

impl Counting {
    fn new(shape: &[usize], chunks: Option<Vec<usize>>) -> Arc<Counting> {
        let written = Mutex::new((ArrayD::zeros(IxDyn(shape)), ArrayD::zeros(IxDyn(shape)), Vec::new()));
        Arc::new(Counting { shape: shape.to_vec(), chunks, written, finished: Mutex::new(0) })
    }
}

impl StoreTarget<i32> for Counting {
    fn write(&self, region: &[Range<usize>], block: ArrayViewD<'_, i32>) -> Result<(), StoreFailure> {
        let mut written = self.written.lock().unwrap();
        let (values, counts, regions) = &mut *written;
        for (index, &value) in block.indexed_iter() {
            let at: Vec<usize> = region.iter().enumerate().map(|(axis, range)| range.start + index[axis]).collect();
            values[IxDyn(&at)] = value;
            counts[IxDyn(&at)] += 1;
        }
        regions.push(region.to_vec());
        if block.iter().any(|&value| value == -99) {
            return Err("-99 is refused".into());
        }
        Ok(())
    }

    fn shape(&self) -> Option<Vec<usize>> {
        Some(self.shape.clone())
    }

    fn chunks(&self) -> Option<Vec<usize>> {
        self.chunks.clone()
    }

    fn finish(&self) -> Result<(), StoreFailure> {
        *self.finished.lock().unwrap() += 1;
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_element_once_in_whole_chunks(
        (rows, columns) in (0_usize..12, 0_usize..12),
        own in (1_usize..6, 1_usize..6),
        chunk in prop::option::of((1_usize..6, 1_usize..6)),
        threads in 1_usize..4,
    ) {
        let data = numbered(&[rows, columns]);
        let x = from_ndarray(data.clone(), [own.0, own.1]).unwrap();
        let target = Counting::new(&[rows, columns], chunk.map(|(down, right)| vec![down, right]));
        let session: Session = builder().executor(ExecutorChoice::Threads).threads(threads).build().unwrap();
        session.scope(|| x.store(&target)).unwrap();
        let written = target.written.lock().unwrap();
        prop_assert_eq!(&written.0, &data);
        prop_assert!(written.1.iter().all(|&count| count == 1));
        let (down, right) = chunk.unwrap_or((1, 1));
        for region in &written.2 {
            for (range, (chunk, length)) in region.iter().zip([(down, rows), (right, columns)]) {
                prop_assert!(range.start % chunk == 0 && (range.end % chunk == 0 || range.end == length), "{region:?}");
            }
        }
        prop_assert_eq!(*target.finished.lock().unwrap(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    /// A region either holds whole chunks, and then each write does, or it is refused and nothing is written.
    #[test]
    fn regions_hold_whole_chunks_or_are_refused(
        length in 1_usize..20,
        bounds in (0_usize..20, 0_usize..20),
        chunk in 1_usize..6,
        own in 1_usize..6,
        threads in 1_usize..4,
    ) {
        let start = bounds.0.min(bounds.1).min(length);
        let end = bounds.0.max(bounds.1).min(length);
        let target = Counting::new(&[length], Some(vec![chunk]));
        let x = from_ndarray(numbered(&[end - start]), own).unwrap();
        let session: Session = builder().executor(ExecutorChoice::Threads).threads(threads).build().unwrap();
        let stored = session.scope(|| x.store_region(&target, s![start..end]));
        let fits = |bound: usize| bound.is_multiple_of(chunk) || bound == length;
        prop_assert_eq!(stored.is_ok(), start == end || fits(start) && fits(end));
        let written = target.written.lock().unwrap();
        for (at, (&value, &count)) in written.0.iter().zip(&written.1).enumerate() {
            let inside = stored.is_ok() && (start..end).contains(&at);
            prop_assert_eq!((value, count), if inside { ((at - start + 1) as i32, 1) } else { (0, 0) });
        }
        for region in &written.2 {
            prop_assert!(start == end || fits(region[0].start) && fits(region[0].end), "{:?}", region);
        }
    }
}

#[test]
fn regions_of_a_target() {
    let target = Counting::new(&[10, 6], Some(vec![4, 3]));
    let x: Array<i32> = from_ndarray(numbered(&[6, 3]), [5, 2]).unwrap();
    session().scope(|| x.store_region(&target, s![4.., ..3])).unwrap();
    let mut expected = ArrayD::<i32>::zeros(IxDyn(&[10, 6]));
    expected.slice_mut(s![4.., ..3]).assign(&numbered(&[6, 3]));
    assert_eq!(target.written.lock().unwrap().0, expected);
    let refused = |x: &Array<i32>, rows: Range<usize>, columns: Range<usize>| {
        StoreWrite::region(x, &target, s![rows, columns]).unwrap_err().to_string()
    };
    assert!(refused(&x, 2..8, 0..3).contains("0..8 would fit, and so would 4..8"));
    assert!(refused(&x, 4..10, 2..5).contains("axis 1 cuts the chunks"));
    assert!(refused(&x, 4..9, 0..3).contains("shape"));
    let whole = StoreWrite::new(&x, &target).unwrap_err().to_string();
    assert!(whole.contains("[6, 3]") && whole.contains("[10, 6]"), "{whole}");
    let misfit = StoreWrite::new(&from_ndarray(numbered(&[6]), 2).unwrap(), &Counting::new(&[6], Some(vec![1, 1])));
    assert!(misfit.unwrap_err().to_string().contains("chunks of [1, 1]"));
}

/// A target that has the whole array or what it had before, and fails at one of its writes.
struct Whole {
    kept: Mutex<ArrayD<i32>>,
    next: Mutex<ArrayD<i32>>,
    writes: Mutex<usize>,
    fails: usize,
    abandoned: Mutex<usize>,
}

impl StoreTarget<i32> for Whole {
    fn write(&self, region: &[Range<usize>], block: ArrayViewD<'_, i32>) -> Result<(), StoreFailure> {
        let mut writes = self.writes.lock().unwrap();
        *writes += 1;
        if *writes == self.fails {
            return Err(format!("no room for write {}", self.fails).into());
        }
        StoreTarget::<i32>::write(&self.next, region, block)
    }

    fn finish(&self) -> Result<(), StoreFailure> {
        if self.fails == 0 {
            return Err("no room for the end".into());
        }
        *self.kept.lock().unwrap() = self.next.lock().unwrap().clone();
        Ok(())
    }

    fn abandon(&self) {
        *self.abandoned.lock().unwrap() += 1;
    }
}

#[test]
fn whichever_region_fails_a_target_can_be_as_it_was() {
    let x: Array<i32> = from_ndarray(numbered(&[10]), 2).unwrap();
    for session in &SESSIONS[..2] {
        for fails in 0..=6 {
            let zeros = || Mutex::new(ArrayD::<i32>::zeros(IxDyn(&[10])));
            let target = Arc::new(Whole {
                kept: zeros(),
                next: zeros(),
                writes: Mutex::new(0),
                fails,
                abandoned: Mutex::new(0),
            });
            let stored = session.scope(|| x.store(&target));
            let (kept, abandoned) = (target.kept.lock().unwrap().clone(), *target.abandoned.lock().unwrap());
            // There are five writes.
            if fails == 6 {
                stored.unwrap();
                assert_eq!((kept, abandoned), (numbered(&[10]), 0));
                continue;
            }
            let error = stored.unwrap_err().to_string();
            let words = if fails == 0 { "the end".into() } else { format!("write {fails}; ") };
            assert!(error.contains(&words), "{error}");
            assert!(fails == 0 || error.contains("of 5 regions had been stored"), "{error}");
            assert_eq!((kept.sum(), abandoned), (0, 1));
        }
    }
    // A handle that is never computed, too.
    let target = Arc::new(Whole {
        kept: Mutex::default(),
        next: Mutex::default(),
        writes: Mutex::default(),
        fails: 1,
        abandoned: Mutex::default(),
    });
    drop(StoreWrite::new(&x, &target).unwrap());
    assert_eq!(*target.abandoned.lock().unwrap(), 1);
}

#[test]
fn a_target_that_fails_fails_the_computation() {
    let target = Counting::new(&[6], None);
    let x: Array<i32> = from_ndarray(numbered(&[6]) - 102, 2).unwrap();
    let error = session().scope(|| x.store(&target)).unwrap_err().to_string();
    assert!(error.contains("-99 is refused"), "{error}");
    assert_eq!(*target.finished.lock().unwrap(), 0);
    // A target is of this process.
    let error = SESSIONS[2].scope(|| x.store(&target)).unwrap_err().to_string();
    assert!(error.contains("store"), "{error}");
}

#[test]
fn several_targets_in_one_graph() {
    let memory = || Arc::new(Mutex::new(ArrayD::<i32>::zeros(IxDyn(&[4]))));
    let (first, second, third) = (memory(), memory(), memory());
    let x: Array<i32> = from_ndarray(numbered(&[4]), 3).unwrap();
    let writes = [&first, &second].map(|target| StoreWrite::new(&x, target).unwrap());
    writes[..].compute_on(&SESSIONS[1]).unwrap();
    SESSIONS[1].scope(|| (&x * 2).store(&third)).unwrap();
    assert_eq!(*first.lock().unwrap(), numbered(&[4]));
    assert_eq!(*second.lock().unwrap(), numbered(&[4]));
    assert_eq!(*third.lock().unwrap(), numbered(&[4]) * 2);
}
