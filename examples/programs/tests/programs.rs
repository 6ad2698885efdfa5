//! The programs do what they say.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use programs::page::serve;
use programs::search::{Data, Parameters, grid, search};
use programs::thumbnails::{draw_samples, thumbnails};
use talatat::prelude::*;

#[test]
fn a_search_finds_what_one_loop_finds() {
    let one = Session::builder().threads(1).build().unwrap();
    let many = Session::builder().threads(4).build().unwrap();
    let found = search(Data::spirals(300), grid(), 3);
    let ((best, mean), last) = found.compute_on(&one).unwrap();
    assert_eq!(found.compute_on(&many).unwrap(), ((best, mean), last), "threads make no difference");
    // Each combination by itself: none is better.
    let all = grid().into_iter().map(|parameters| search(Data::spirals(300), vec![parameters], 3).compute().unwrap());
    let all: Vec<((Parameters, f64), f64)> = all.collect();
    assert!(all.contains(&((best, mean), last)) && all.iter().all(|((_, other), _)| *other <= mean), "{all:?}");
    assert!(last > 0.7, "{best:?} gets {last} right");
    assert!(search(Data::spirals(30), Vec::new(), 3).compute().is_err());
}

#[test]
fn thumbnails_of_generated_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    draw_samples(folder.path(), 12).unwrap();
    let glob = format!("{}/*.{{png,jpg}}", folder.path().display());
    let (mut kinds, brightest, pixels) = thumbnails(&glob, small.clone(), 32).unwrap().compute().unwrap();
    kinds.sort_by(|a, b| a.0.cmp(&b.0));
    let counts: Vec<(&str, u64)> = kinds.iter().map(|(kind, sums)| (kind.as_str(), sums.pictures)).collect();
    assert_eq!(counts, [("jpg", 4), ("png", 8)]);
    assert_eq!(kinds.iter().map(|(_, sums)| sums.pixels).sum::<u64>(), pixels);
    // The blue rises with the number.
    assert_eq!(brightest[0].name, "sample-011.png");
    assert!(brightest.windows(2).all(|pair| pair[0].brightness >= pair[1].brightness));
    let made = image::open(small.join("sample-000.png")).unwrap();
    assert_eq!(made.width().max(made.height()), 32);
    assert_eq!(std::fs::read_dir(&small).unwrap().count(), 12);
    // One bad file is an error that names it.
    std::fs::write(folder.path().join("bad.png"), b"no picture").unwrap();
    let error = thumbnails(&glob, small, 32).unwrap().compute().unwrap_err().to_string();
    assert!(error.contains("bad.png"), "{error}");
}

fn get(address: SocketAddr, target: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_page_awaits_its_answers() {
    let text = ["to be or not to be", "that is the question", "whether to be"].map(String::from);
    let text = Bag::from_sequence(text, 2);
    let session = Session::builder().threads(2).build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(serve(listener, session, text));
    assert!(get(address, "/words?min=2").ends_with("\r\n\r\nbe 3\nto 3\nis 1\nnot 1\nor 1\n"));
    assert!(get(address, "/words?min=8").ends_with("\r\n\r\nquestion 1\n"));
    assert!(get(address, "/words?min=two").starts_with("HTTP/1.1 400"));
    assert!(get(address, "/else").starts_with("HTTP/1.1 404"));
    // Many at once, on one thread of the runtime.
    let clients: Vec<_> = (0..8).map(|_| std::thread::spawn(move || get(address, "/words?min=7"))).collect();
    for client in clients {
        assert!(client.join().unwrap().ends_with("question 1\nwhether 1\n"));
    }
}
