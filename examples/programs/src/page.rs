//! A web page whose handler awaits a computation: the runtime's threads go on with other requests meanwhile, and the computation has the session's
//! threads, however many requests there are.
//!
//! The protocol is as much of HTTP as the example needs; a real service has a framework for it.

use std::io::Result;

use talatat::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The longest request that is read.
const LONGEST: usize = 8 << 10;

/// Answers requests until the listener fails: `GET /words?min=4` gives the most frequent words of the text that have so many letters.
///
/// # Errors
/// What the listener says.
pub async fn serve(listener: TcpListener, session: Session, text: Bag<String>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (session, text) = (session.clone(), text.clone());
        tokio::spawn(async move {
            // A client that has gone needs no answer.
            let _ = answer(stream, &session, &text).await;
        });
    }
}

async fn answer(mut stream: TcpStream, session: &Session, text: &Bag<String>) -> Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < LONGEST {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&request);
    let target = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let min = target.strip_prefix("/words?min=").map(str::parse::<usize>);
    let (status, body) = match min {
        Some(Ok(min)) => match words(session, text, min).await {
            Ok(body) => ("200 OK", body),
            Err(error) => ("500 Internal Server Error", error.to_string()),
        },
        Some(Err(error)) => ("400 Bad Request", format!("min: {error}")),
        None => ("404 Not Found", "there is /words?min=4".to_string()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The five most frequent words of at least `min` letters; of those that are as frequent the first in the alphabet.
async fn words(session: &Session, text: &Bag<String>, min: usize) -> talatat::Result<String> {
    let words = text.flat_map(|line| {
        let words = line.split(|letter: char| !letter.is_alphabetic()).map(str::to_lowercase);
        words.collect::<Vec<String>>()
    });
    let often = words
        .filter(move |word| !word.is_empty() && word.chars().count() >= min)
        .frequencies()
        .topk_by_key(5, |(word, count)| (*count, std::cmp::Reverse(word.clone())));
    let found = session.submit_compute(&often)?.await?;
    Ok(found.into_iter().map(|(word, count)| format!("{word} {count}\n")).collect())
}
