//! What is written is read back: every layout, from every executor, whole and by region.

use std::path::Path;

use ndarray::{ArrayD, IxDyn, s};
use proptest::prelude::*;
use talatat::array::dtype::{C64, C128, f16};
use talatat::array::{
    Array, AxisChunks, BloscCodec, Chunks, Element, ZarrCompressor, ZarrInfo, ZarrOptions, ZarrVersion, ZarrWrite,
    arange, from_ndarray, open_zarr,
};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};

use super::{session, small_blocks};
use crate::common::{builder, reaches};
use crate::oracle::SESSIONS;

fn numbered(shape: &[usize]) -> ArrayD<i32> {
    let count = shape.iter().product::<usize>() as i32;
    ArrayD::from_shape_vec(IxDyn(shape), (0..count).map(|value| value - 7).collect()).unwrap()
}

fn read<T: Element>(url: &str) -> ArrayD<T> {
    open_zarr::<T>(url).unwrap().compute_on(&session()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn lengths(lengths: &[usize]) -> Chunks {
    Chunks::PerAxis(lengths.iter().map(|&length| AxisChunks::Length(length)).collect())
}

/// Every compressor, with and without shards and checksums, and version 2.
fn layouts(chunks: &[usize], shards: &[usize]) -> Vec<ZarrOptions> {
    let compressors = [
        ZarrCompressor::None,
        ZarrCompressor::Zstd(0),
        ZarrCompressor::Zstd(-3),
        ZarrCompressor::Gzip(6),
        ZarrCompressor::Blosc(BloscCodec::Lz4, 5),
        ZarrCompressor::Blosc(BloscCodec::Zstd, 1),
        ZarrCompressor::Blosc(BloscCodec::Snappy, 3),
    ];
    let mut all = Vec::new();
    for compressor in compressors {
        let plain = ZarrOptions::new().chunks(lengths(chunks)).compressor(compressor).overwrite(true);
        all.push(plain.clone());
        all.push(plain.clone().checksum(true));
        all.push(plain.clone().shards(lengths(shards)));
        all.push(plain.clone().shards(lengths(shards)).checksum(true));
        all.push(plain.version(ZarrVersion::V2));
    }
    all
}

#[test]
fn every_executor_and_layout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/x.zarr");
    let data = numbered(&[13, 9]);
    let layouts = layouts(&[2, 3], &[6, 9]);
    for (number, named) in SESSIONS.iter().enumerate() {
        for (layout, options) in layouts.iter().enumerate().skip(number % 13).step_by(13) {
            let urls = [path.to_str().unwrap(), "memory://zarr-out/every"];
            for url in urls.into_iter().filter(|url| reaches(&named.session, url)) {
                let x = from_ndarray(data.clone(), [5, 4]).unwrap();
                let y = (&x * 2).t();
                let fail = |error| panic!("{}, {layout}, {url}: {error}", named.name);
                named.session.scope(|| (&x + 1).to_zarr_with(url, options)).unwrap_or_else(fail);
                assert_eq!(read::<i32>(url), &data + 1, "{}, {layout}", named.name);
                named.session.scope(|| y.to_zarr_with(url, options)).unwrap_or_else(fail);
                assert_eq!(read::<i32>(url), (&data * 2).reversed_axes(), "{}, {layout}", named.name);
            }
        }
        assert_eq!(names(&folder.path().join("a")), ["x.zarr"], "{}", named.name);
    }
}

fn round_trip<T: Element>(data: &ArrayD<i32>, fill: i32) {
    let url = format!("memory://zarr-out/{}", T::DTYPE);
    let x = from_ndarray(data.clone(), 2).unwrap().astype::<T>();
    let expected = x.compute_on(&session()).unwrap();
    for version in [ZarrVersion::V2, ZarrVersion::V3] {
        x.to_zarr_with(&url, &ZarrOptions::new().version(version).fill_value(fill).overwrite(true)).unwrap();
        assert_eq!(read::<T>(&url), expected, "{}", T::DTYPE);
    }
}

#[test]
fn every_type_and_rank() {
    for shape in [&[5, 3][..], &[], &[0, 2], &[2, 0], &[1], &[3, 2, 1, 2]] {
        let data = numbered(shape).mapv(i32::abs);
        session().scope(|| {
            round_trip::<bool>(&data, 1);
            round_trip::<i8>(&data, -1);
            round_trip::<i16>(&data, -1);
            round_trip::<i32>(&data, 3);
            round_trip::<i64>(&data, 3);
            round_trip::<u8>(&data, 7);
            round_trip::<u16>(&data, 7);
            round_trip::<u32>(&data, 7);
            round_trip::<u64>(&data, 7);
            round_trip::<f16>(&data, 0);
            round_trip::<C64>(&data, 1);
            round_trip::<C128>(&data, 0);
            round_trip::<f32>(&data, 0);
            round_trip::<f64>(&data, 0);
        });
    }
}

#[test]
fn chunks_of_nothing_but_the_fill_value_are_left_out() {
    let url = "memory://zarr-out/sparse";
    let mut data = ArrayD::from_elem(IxDyn(&[6, 6]), f64::NAN);
    data[[0, 0]] = -0.0;
    data[[5, 5]] = 2.5;
    let options = ZarrOptions::new().chunks([2, 2]).fill_value(f64::NAN).compressor(ZarrCompressor::None);
    session().scope(|| from_ndarray(data.clone(), 6).unwrap().to_zarr_with(url, &options)).unwrap();
    let found = talatat::storage::expand(&[format!("{url}/**")]).unwrap();
    let mut found: Vec<String> = found.iter().map(|object| object.location().to_string().replace(url, "")).collect();
    found.sort();
    assert_eq!(found, ["/c/0/0", "/c/2/2", "/zarr.json"]);
    let back = read::<f64>(url);
    assert!(back.iter().zip(&data).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
}

#[test]
fn chunks_are_those_of_the_array_unless_told() {
    let info = |name: &str| ZarrInfo::open(&format!("memory://zarr-out/{name}")).unwrap();
    let x = from_ndarray(numbered(&[10, 6]), [4, 5]).unwrap();
    session().scope(|| {
        x.to_zarr_with("memory://zarr-out/own", &ZarrOptions::new().overwrite(true)).unwrap();
        let uneven = x.rechunk(vec![vec![3, 7], vec![1, 5]]).unwrap();
        uneven.to_zarr_with("memory://zarr-out/uneven", &ZarrOptions::new().overwrite(true)).unwrap();
        let options = ZarrOptions::new().chunks([2, -1]).shards(-1).overwrite(true);
        x.to_zarr_with("memory://zarr-out/whole", &options).unwrap();
    });
    assert_eq!(info("own").chunks, [4, 5]);
    assert_eq!(info("uneven").chunks, [7, 5]);
    assert_eq!((info("whole").chunks, info("whole").shards), (vec![2, 6], Some(vec![10, 6])));
    assert_eq!(read::<i32>("memory://zarr-out/uneven"), numbered(&[10, 6]));
}

#[test]
fn options_that_do_not_fit() {
    let x = from_ndarray(numbered(&[10]), 5).unwrap();
    for (options, words) in [
        (ZarrOptions::new().chunks(vec![vec![3, 7]]), "one length"),
        (ZarrOptions::new().chunks([3, 3]), "axes"),
        (ZarrOptions::new().shards(4), "give their lengths"),
        (ZarrOptions::new().chunks(3).shards(4), "no whole number of chunks of 3: give 3"),
        (ZarrOptions::new().chunks(3).shards(6).version(ZarrVersion::V2), "no shards"),
        (ZarrOptions::new().checksum(true).version(ZarrVersion::V2), "no checksums"),
        (ZarrOptions::new().compressor(ZarrCompressor::Zstd(23)), "from -7 to 22"),
        (ZarrOptions::new().compressor(ZarrCompressor::Blosc(BloscCodec::Lz4, 10)), "from 0 to 9"),
        (ZarrOptions::new().fill_value(0.5), "no int32"),
    ] {
        let error = ZarrWrite::new(&x, "memory://zarr-out/misfit", &options).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("to_zarr"), "{error}");
    }
    let lost = x.filter(&x.greater(0)).unwrap();
    assert!(
        ZarrWrite::new(&lost, "memory://zarr-out/misfit", &ZarrOptions::new())
            .unwrap_err()
            .to_string()
            .contains("persist")
    );
}

/// 0, 1, 2, .. in rows; any chunk can be made by itself.
fn counted(rows: i64, columns: i64) -> Array<i64> {
    let along = |length| arange::<i64>(0, length, 1).unwrap();
    along(rows).expand_dims(1).unwrap() * columns + along(columns)
}

#[test]
fn larger_than_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr");
    let url = path.to_str().unwrap();
    let y = &counted(1 << 10, 1 << 10).rechunk([128, 512]).unwrap() * 3;
    let limit = y.nbytes().unwrap() / 2;
    for executor in [ExecutorChoice::Synchronous, ExecutorChoice::Threads, ExecutorChoice::Serialize] {
        let session = builder().executor(executor).threads(2).memory_limit(limit).build().unwrap();
        assert!(y.compute_on(&session).is_err(), "the array does not fit");
        session.scope(|| y.to_zarr_with(url, &ZarrOptions::new().chunks([128, 128]).overwrite(true))).unwrap();
        let back = small_blocks(1 << 18).scope(|| open_zarr::<i64>(url)).unwrap();
        assert_eq!((back - &y).abs().max(..).unwrap().item().unwrap().compute_on(&session).unwrap(), 0);
    }
}

#[test]
fn the_plan_writes_each_block_when_it_is_there() {
    let x = counted(40, 100).rechunk([10, -1]).unwrap().persist_on(&session()).unwrap() + 1;
    let write =
        ZarrWrite::new(&x, "memory://zarr-out/plan", &ZarrOptions::new().chunks([10, 50]).overwrite(true)).unwrap();
    let plan = session().plan(&write).unwrap();
    let lines: Vec<String> =
        plan.operations().iter().map(|found| format!("{} x {}", found.tasks, found.operation)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    4 x persisted > blockwise add(x0, 1) > write to memory://zarr-out/plan
    1 x finish memory://zarr-out/plan
    ");
    // A block of 8000 bytes; a chunk of 4000, copied, encoded, copied by a codec.
    assert!(plan.peak().bytes <= 8000 + 3 * 4000, "{plan}");
}

#[test]
fn regions_of_whole_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zarr");
    for url in [path.to_str().unwrap(), "memory://zarr-out/region"] {
        for options in [
            ZarrOptions::new().chunks([4, 3]),
            ZarrOptions::new().chunks([2, 1]).shards([4, 3]),
            ZarrOptions::new().chunks([4, 3]).version(ZarrVersion::V2),
        ] {
            let mut expected = numbered(&[10, 9]);
            session()
                .scope(|| from_ndarray(expected.clone(), [5, 2]).unwrap().to_zarr_with(url, &options.overwrite(true)))
                .unwrap();
            let step = if SESSIONS.len() > 3 { 3 } else { 1 };
            let reached = SESSIONS.iter().filter(|named| reaches(&named.session, url));
            for (number, named) in reached.enumerate().step_by(step) {
                for (rows, columns) in [(4..10, 0..9), (0..4, 3..6), (8..10, 6..9), (4..8, 3..9)] {
                    let data = numbered(&[rows.len(), columns.len()]) * (number as i32 + 10);
                    expected.slice_mut(s![rows.clone(), columns.clone()]).assign(&data);
                    let x = from_ndarray(data, [3, 5]).unwrap();
                    named.session.scope(|| x.to_zarr_region(url, s![rows.clone(), columns.clone()])).unwrap();
                    assert_eq!(read::<i32>(url), expected, "{}", named.name);
                }
            }
        }
    }
}

#[test]
fn regions_that_cut_chunks_are_refused() {
    let url = "memory://zarr-out/cut";
    let data = numbered(&[10, 9]);
    let options = ZarrOptions::new().chunks([2, 1]).shards([4, 3]).overwrite(true);
    session().scope(|| from_ndarray(data.clone(), 4).unwrap().to_zarr_with(url, &options)).unwrap();
    let refuse = |x: &Array<i32>, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
        let error = session().scope(|| x.to_zarr_region(url, s![rows, columns])).unwrap_err().to_string();
        assert_eq!(read::<i32>(url), data, "{error}");
        error
    };
    let ones = |rows: usize, columns: usize| from_ndarray(ArrayD::from_elem(IxDyn(&[rows, columns]), 1), 2).unwrap();
    let error = refuse(&ones(6, 9), 2..8, 0..9);
    assert!(
        error.contains("2..8 of axis 0 cuts the shards")
            && error.contains("4 long")
            && error.contains("0..8 would fit, and so would 4..8"),
        "{error}"
    );
    let error = refuse(&ones(4, 2), 4..8, 1..3);
    assert!(error.contains("axis 1") && error.contains("0..3 would fit"), "{error}");
    assert!(refuse(&ones(4, 4), 4..8, 0..4).contains("0..6 would fit, and so would 0..3"));
    assert!(refuse(&ones(4, 3), 4..9, 0..3).contains("shape"));
    let error = session().scope(|| ones(4, 3).to_zarr_region(url, s![0..8;2, 0..3])).unwrap_err().to_string();
    assert!(error.contains("without steps"), "{error}");
    let error =
        session().scope(|| ones(4, 3).astype::<f64>().to_zarr_region(url, s![0..4, 0..3])).unwrap_err().to_string();
    assert!(error.contains("holds int32, not float64"), "{error}");
    let itself = open_zarr::<i32>(url).unwrap().slice(s![0..4, 0..3]).unwrap() + 1;
    let error = session().scope(|| itself.to_zarr_region(url, s![4..8, 0..3])).unwrap_err().to_string();
    assert!(error.contains("persist"), "{error}");
    assert!(session().scope(|| ones(4, 3).to_zarr_region("memory://zarr-out/nowhere", s![.., ..])).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Any array in any chunks, written in any chunks and shards: several tasks never write one chunk.
    #[test]
    fn any_chunks_into_any_chunks(
        (rows, columns) in (1_usize..12, 1_usize..12),
        own in (1_usize..6, 1_usize..6),
        chunk in (1_usize..6, 1_usize..6),
        shards in prop::option::of((1_usize..3, 1_usize..3)),
        threads in 1_usize..4,
    ) {
        let url = "memory://zarr-out/any";
        let data = numbered(&[rows, columns]);
        let x = from_ndarray(data.clone(), [own.0, own.1]).unwrap() + 0;
        let mut options = ZarrOptions::new().chunks([chunk.0, chunk.1]).overwrite(true);
        if let Some((down, right)) = shards {
            options = options.shards([down * chunk.0.min(rows), right * chunk.1.min(columns)]);
        }
        let session: Session = builder().executor(ExecutorChoice::Threads).threads(threads).build().unwrap();
        session.scope(|| x.to_zarr_with(url, &options)).unwrap();
        prop_assert_eq!(&read::<i32>(url), &data);
    }
}
