//! Serves a page on the loopback device: see `programs::page`. Files of text may be named: `page 'books/*.txt'`.

use std::error::Error;

use programs::page::serve;
use talatat::bag::{TextOptions, read_text};
use talatat::prelude::*;
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn Error>> {
    let globs: Vec<String> = std::env::args().skip(1).collect();
    let text = match globs.is_empty() {
        true => Bag::from_sequence(include_str!("../page.rs").lines().map(String::from), 4),
        false => read_text(globs, TextOptions::new())?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("http://{}/words?min=4", listener.local_addr()?);
        serve(listener, Session::current()?, text).await?;
        Ok(())
    })
}
