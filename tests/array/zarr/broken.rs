//! Stores that are no arrays, or broken: errors that say what is wrong, never elements that nobody wrote.

use talatat::array::{ZarrInfo, open_zarr};
use talatat::prelude::*;

use super::{case, files, put, session, unpack};

fn refused(url: &str) -> String {
    ZarrInfo::open(url).unwrap_err().to_string()
}

#[test]
fn what_is_no_array_is_explained() {
    for (name, words) in [
        ("group", ["is a group", "inner"]),
        ("group2", ["is a group", "without members"]),
        ("text", ["fixed_length_utf32", "astype"]),
        ("time", ["<M8[s]", "astype"]),
        ("delta", ["cannot be used", "delta"]),
    ] {
        let url = format!("memory://zarr-broken/{name}");
        unpack(&case(name), &url);
        let error = refused(&url);
        assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
    }
    assert_eq!(open_zarr::<i32>("memory://zarr-broken/group/inner").unwrap().compute_on(&session()).unwrap().len(), 3);
    assert!(refused("memory://zarr-broken/none").contains("does not exist"));
    assert!(refused("/no/such/folder/x.zarr").contains("does not exist"));
    put("memory://zarr-broken/chunks", "c/0/0", b"1234");
    assert!(refused("memory://zarr-broken/chunks").contains("neither zarr.json nor .zarray"));
}

#[test]
fn metadata_that_make_no_sense() {
    let url = "memory://zarr-broken/metadata";
    let whole = files(&case("v3_int32")).into_iter().find(|(name, _)| name == "zarr.json").unwrap().1;
    let whole = String::from_utf8(whole).unwrap();
    let replaced = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}\n{whole}");
        whole.replace(from, to)
    };
    let bad: Vec<(String, &str)> = vec![
        (whole[..whole.len() / 2].to_owned(), "metadata"),
        (String::new(), "metadata"),
        ("[]".into(), "which version"),
        (replaced("\"zarr_format\": 3", "\"zarr_format\": 4"), "version 4"),
        (replaced("\"int32\"", "\"int33\""), "int33"),
        (replaced("\"regular\"", "\"irregular\""), "metadata"),
        (replaced("3,\n        2\n", "0,\n        2\n"), "metadata"),
        (replaced("3,\n        2\n", "18446744073709551615,\n        2\n"), "metadata"),
        (replaced("\"bytes\"", "\"bites\""), "bites"),
        (replaced("\"fill_value\": 0", "\"fill_value\": \"zero\""), "metadata"),
        (replaced("\"fill_value\": 0", "\"unheard\": {\"must_understand\": true}, \"fill_value\": 0"), "unheard"),
    ];
    for (text, word) in bad {
        put(url, "zarr.json", text.as_bytes());
        let error = refused(url);
        assert!(error.contains(word) && error.contains(url), "{error}");
    }
    put(url, "zarr.json", &[0xff, 0xfe]);
    assert!(refused(url).contains("no text"));
    // Attributes are passed over.
    put(url, "zarr.json", replaced("\"attributes\": {}", "\"attributes\": {\"note\": [1, null]}").as_bytes());
    ZarrInfo::open(url).unwrap();
}

#[test]
fn chunks_that_are_cut_short_or_changed() {
    for name in
        ["v3_int32", "v2_fortran", "v3_gzip", "v3_zstd", "v2_zlib", "v3_blosc", "v3_crc32c", "v3_checked", "v3_sharded"]
    {
        let url = format!("memory://zarr-chunks/{name}");
        let case = case(name);
        unpack(&case, &url);
        let dtype = ZarrInfo::open(&url).unwrap().dtype;
        let read = || super::open_any(&url, dtype).unwrap().answer(&session());
        read().unwrap();
        let (chunk, bytes) =
            files(&case).into_iter().find(|(name, _)| !name.ends_with("json") && name != ".zarray").unwrap();
        for short in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            put(&url, &chunk, &bytes[..short]);
            let error = read().unwrap_err().to_string();
            assert!(error.contains(&chunk), "{name} with {short} bytes: {error}");
        }
        if ["v3_crc32c", "v3_checked"].contains(&name) {
            let mut changed = bytes.clone();
            changed[bytes.len() / 2] ^= 1;
            put(&url, &chunk, &changed);
            assert!(read().is_err(), "{name}");
        }
        put(&url, &chunk, &bytes);
        read().unwrap();
    }
}

#[test]
fn parts_of_chunks_that_are_cut_short() {
    for name in ["v3_int32", "v3_sharded", "v3_sharded_raw"] {
        let url = format!("memory://zarr-parts/{name}");
        let case = case(name);
        unpack(&case, &url);
        let (chunk, bytes) = files(&case).into_iter().find(|(name, _)| name.starts_with("c/0/0")).unwrap();
        let dtype = ZarrInfo::open(&url).unwrap().dtype;
        let read = || match dtype {
            talatat::array::DType::F64 => {
                open_zarr::<f64>(&url)?.slice(ndarray::s![1..3, 1..])?.compute_on(&session()).map(drop)
            }
            _ => open_zarr::<i32>(&url)?.slice(ndarray::s![1..3, 1..])?.compute_on(&session()).map(drop),
        };
        read().unwrap();
        put(&url, &chunk, &bytes[..bytes.len() / 3]);
        let error = read().unwrap_err().to_string();
        assert!(error.contains("c/0/0"), "{name}: {error}");
    }
}
