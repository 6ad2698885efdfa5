//! The storage layer against an S3 server.

use std::io::{self, Write};

use ndarray::{Array, s};
use talatat_collections::storage::csv_split::{block_states, count_quotes_in, read_block_records};
use talatat_collections::storage::{
    Location, ObjectRef, StorageError, StorageOptions, check_writable, expand_with, npy, write_atomic,
};
use talatat_servers::s3::{KEY, S3Server, SECRET};

fn start() -> (S3Server, StorageOptions) {
    let server = S3Server::start(&["stones"]).unwrap();
    let options = StorageOptions::new()
        .with("AWS_ENDPOINT_URL", server.endpoint())
        .with("AWS_ALLOW_HTTP", "true")
        .with("AWS_ACCESS_KEY_ID", KEY)
        .with("AWS_SECRET_ACCESS_KEY", SECRET)
        .with("AWS_REGION", "us-east-1")
        .with("max_retries", "1");
    (server, options)
}

fn put(options: &StorageOptions, url: &str, content: &[u8]) -> ObjectRef {
    let location = Location::parse_with(url, options).unwrap();
    write_atomic(&location, |w| w.write_all(content)).unwrap();
    ObjectRef::open(&location).unwrap()
}

#[test]
fn objects_are_written_and_read() {
    let (server, options) = start();
    let object = put(&options, "s3://stones/a/b c.txt", b"0123456789");
    assert_eq!(std::fs::read(server.bucket("stones").join("a/b c.txt")).unwrap(), b"0123456789");
    assert_eq!((object.size(), object.read_all().unwrap()), (10, "0123456789".into()));
    assert_eq!(object.read_range(3..5).unwrap(), "34");
    assert_eq!(object.read_ranges(&[8..10, 4..4, 0..2]).unwrap(), ["89", "", "01"]);
    assert!(matches!(object.read_range(5..11), Err(StorageError::BadRange { .. })));
    std::thread::scope(|scope| {
        for i in 0..8 {
            let object = &object;
            scope.spawn(move || assert_eq!(object.read_range(i..i + 1).unwrap(), i.to_string()));
        }
    });
}

#[test]
fn a_replaced_object_is_noticed() {
    let (_server, options) = start();
    let old = put(&options, "s3://stones/x", b"old");
    let new = put(&options, "s3://stones/x", b"new");
    assert_ne!(old.version(), new.version());
    assert_eq!(new.read_all().unwrap(), "new");
    assert!(matches!(old.read_all(), Err(StorageError::Changed { .. })));
}

#[test]
fn globs() {
    let (_server, options) = start();
    for name in ["2023/jan.csv", "2024/jan.csv", "2024/feb.csv", "2024/feb.txt", "2024/deep/er/mar.csv"] {
        put(&options, &format!("s3://stones/rain/{name}"), name.as_bytes());
    }
    let names = |pattern: &str| -> Vec<String> {
        let found = expand_with(&[format!("s3://stones/{pattern}")], &options).unwrap();
        found.iter().map(|o| o.location().key().strip_prefix("rain/").unwrap().to_owned()).collect()
    };
    assert_eq!(names("rain/2024/*.csv"), ["2024/feb.csv", "2024/jan.csv"]);
    assert_eq!(names("rain/*/jan.csv"), ["2023/jan.csv", "2024/jan.csv"]);
    assert_eq!(names("r*/202[34]/{jan,mar}.csv"), ["2023/jan.csv", "2024/jan.csv"]);
    assert_eq!(names("rain/**/mar.csv"), ["2024/deep/er/mar.csv"]);
    assert_eq!(names("rain/2024/feb.txt"), ["2024/feb.txt"]);
    let nothing = expand_with(&["s3://stones/rain/*.parquet"], &options).unwrap_err();
    assert!(matches!(nothing, StorageError::NoMatch { .. }), "{nothing}");
    // What a listing found can be read.
    let found = expand_with(&["s3://stones/rain/2023/*"], &options).unwrap();
    assert_eq!(found[0].read_all().unwrap(), "2023/jan.csv");
}

#[test]
fn what_is_missing_is_named() {
    let (_server, options) = start();
    put(&options, "s3://stones/x", b"x");
    let open = |url: &str| ObjectRef::open(&Location::parse_with(url, &options).unwrap()).unwrap_err();
    let error = open("s3://stones/y");
    assert!(matches!(error, StorageError::NotFound { .. }), "{error}");
    let error = open("s3://stones");
    assert!(matches!(error, StorageError::IsDirectory { .. }), "{error}");
    let error = open("s3://pebbles/y");
    assert!(matches!(error, StorageError::NoBucket { .. }), "{error}");
    let error = expand_with(&["s3://pebbles/*.csv"], &options).unwrap_err();
    assert!(matches!(error, StorageError::NoBucket { .. }), "{error}");
    // Not tried: writing there, for this server makes the bucket.
}

#[test]
fn wrong_credentials_are_refused() {
    let (_server, options) = start();
    put(&options, "s3://stones/x", b"x");
    for wrong in
        [options.clone().with("AWS_SECRET_ACCESS_KEY", "no"), options.clone().with("AWS_ACCESS_KEY_ID", "nobody")]
    {
        let location = Location::parse_with("s3://stones/x", &wrong).unwrap();
        let error = ObjectRef::open(&location).unwrap_err();
        assert!(matches!(error, StorageError::Denied { .. }), "{error}");
        assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
        let error = check_writable(&location).unwrap_err();
        assert!(matches!(error, StorageError::Denied { .. }), "{error}");
        let error = expand_with(&["s3://stones/*"], &wrong).unwrap_err();
        assert!(matches!(error, StorageError::Denied { .. }), "{error}");
    }
}

#[test]
fn options_are_checked() {
    let (server, options) = start();
    let error = |options: StorageOptions| {
        let location = Location::parse_with("s3://stones/x", &options).unwrap();
        ObjectRef::open(&location).unwrap_err().to_string()
    };
    assert!(error(options.clone().with("aws_colour", "red")).contains("`aws_colour`"));
    assert!(error(options.clone().with("max_retries", "few")).contains("whole number"));
    assert!(error(options.with("AWS_ALLOW_HTTP", "false")).contains("AWS_ALLOW_HTTP=true"));
    drop(server);
}

#[test]
fn a_server_that_is_gone() {
    let (server, options) = start();
    drop(server);
    let location = Location::parse_with("s3://stones/x", &options.with("max_retries", "0")).unwrap();
    let error = ObjectRef::open(&location).unwrap_err();
    assert!(matches!(error, StorageError::Access { .. }), "{error}");
}

#[test]
fn a_failed_part_cannot_be_passed_over() {
    let (server, options) = start();
    let options = options.with("max_retries", "0");
    let location = Location::parse_with("s3://stones/x", &options).unwrap();
    let mut server = Some(server);
    let outcome = write_atomic(&location, |w| {
        w.write_all(&vec![1; 9 << 20])?;
        drop(server.take());
        // Parts are on their way in the background: the failure shows in one of the next writes.
        let failed = (0..60).filter(|_| w.write_all(&vec![1; 1 << 20]).is_err()).count();
        assert!(failed > 0);
        Ok::<(), io::Error>(())
    });
    assert!(matches!(outcome, Err(StorageError::Write { .. })), "{outcome:?}");
}

#[test]
fn writes_are_complete_or_not_at_all() {
    let (server, options) = start();
    let location = Location::parse_with("s3://stones/large", &options).unwrap();
    check_writable(&location).unwrap();
    assert!(!server.bucket("stones").join("large").exists());
    let content: Vec<u8> = (0..20_000_000_u32).map(|i| (i % 251) as u8).collect();
    let failed = write_atomic(&location, |w| {
        w.write_all(&content)?;
        Err::<(), _>(io::Error::other("broken"))
    });
    assert!(matches!(failed, Err(StorageError::Write { .. })));
    assert!(!server.bucket("stones").join("large").exists());
    write_atomic(&location, |w| content.chunks(1_000_003).try_for_each(|chunk| w.write_all(chunk))).unwrap();
    assert!(ObjectRef::open(&location).unwrap().read_all().unwrap() == content);
}

#[test]
fn regions_of_npy_arrays() {
    let (_server, options) = start();
    let location = Location::parse_with("s3://stones/x.npy", &options).unwrap();
    let array = Array::from_shape_fn((700, 500, 4), |(i, j, k)| (i * 2000 + j * 4 + k) as f64);
    for stored in [array.clone().into_dyn(), array.clone().reversed_axes().into_dyn()] {
        npy::write_array(&location, &stored.view()).unwrap();
        let object = ObjectRef::open(&location).unwrap();
        let header = npy::open(&object).unwrap();
        assert_eq!(header.shape, stored.shape());
        let region: Vec<_> = header.shape.iter().map(|&n| n / 4..n / 2).collect();
        let read = npy::read_region::<f64>(&object, &header, &region).unwrap();
        let expected = match header.fortran {
            false => array.slice(s![175..350, 125..250, 1..2]).into_dyn(),
            true => array.slice(s![175..350, 125..250, 1..2]).reversed_axes().into_dyn(),
        };
        assert_eq!(read, expected);
        assert_eq!(npy::read_array::<f64>(&object).unwrap(), stored);
    }
}

#[test]
fn blocks_of_csv_text() {
    let (_server, options) = start();
    let text: String = (0..2000).map(|i| format!("{i},\"a \"\"quoted\"\"\nnote\",{}\n", "x".repeat(i % 50))).collect();
    let object = put(&options, "s3://stones/x.csv", text.as_bytes());
    let blocks: Vec<_> = (0..object.size()).step_by(10_000).map(|a| a..a + 10_000).collect();
    let count =
        |block: &std::ops::Range<u64>| count_quotes_in(&object, block.start..block.end.min(object.size()), b'"');
    let counts: Vec<u64> = blocks.iter().map(|block| count(block).unwrap()).collect();
    let read = blocks.iter().zip(block_states(&counts));
    let read: Vec<_> =
        read.map(|(block, state)| read_block_records(&object, block.clone(), state, Some(b'"')).unwrap()).collect();
    assert!(read.iter().all(|records| records.ends_with(b"\n")));
    assert!(read.concat() == text.as_bytes());
}
