//! Credit lines: a web page asks for a customer's limit, and dozens of small rules, some of which read others, answer within a time budget.
//!
//! Each customer's rules are futures: a rule begins when what it reads is there. The answer is awaited, as a handler of any asynchronous
//! web server would; who runs out of time gets the limit of the rules that are done, and what has not begun is dropped.
//!
//! ```text
//! cargo run --release --example credit
//! ```

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use talatat::prelude::*;

/// What is known of a customer.
#[derive(Clone, Copy)]
struct Customer {
    income: f64,
    debt: f64,
    late: u32,
    years: f64,
}

impl Customer {
    fn number(number: u32) -> Customer {
        let dice = |sides: u32, salt: u32| {
            f64::from((number.wrapping_mul(2_654_435_769) ^ salt.wrapping_mul(40_503)) >> 8 & 0xffff) % f64::from(sides)
        };
        Customer { income: 1500.0 + dice(6000, 1), debt: dice(20_000, 2), late: dice(5, 3) as u32, years: dice(30, 4) }
    }
}

/// A small model: a logistic curve after some hundred steps of a recurrence, which stand for a table or a tree of decisions.
fn score(customer: &Customer, model: u32) -> f64 {
    let mut x = (customer.income / 10_000.0 + f64::from(model) * 0.01).fract().abs().clamp(0.01, 0.99);
    for _ in 0..300 {
        x = 3.7 * x * (1.0 - x);
    }
    let weight = customer.years * 0.05 - f64::from(customer.late) * 0.4 - customer.debt / 40_000.0;
    1.0 / (1.0 + (-(x + weight)).exp())
}

/// The rules of one customer: 32 models, 8 groups of them, and the limit.
fn limit(session: &Session, customer: Customer) -> talatat::Result<Future<f64>> {
    let mut groups = Vec::new();
    for group in 0..8_u32 {
        let models: Vec<Future<f64>> = (0..4)
            .map(|model| session.submit(move |number: u32| score(&customer, number), group * 4 + model))
            .collect::<talatat::Result<_>>()?;
        groups.push(session.submit(|scores: Vec<f64>| scores.iter().sum::<f64>() / scores.len() as f64, models)?);
    }
    session.submit(
        move |groups: Vec<f64>| {
            let worst = groups.iter().copied().fold(1.0, f64::min);
            ((customer.income * 3.0 - customer.debt * 0.2).max(0.0) * worst / 100.0).round() * 100.0
        },
        groups,
    )
}

/// Waits for a future, at most until `end`: what an asynchronous runtime does for its handlers.
fn await_until<F: std::future::Future>(future: F, end: Instant) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker: Waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        let left = end.checked_duration_since(Instant::now())?;
        std::thread::park_timeout(left);
    }
}

fn main() -> talatat::Result<()> {
    let session = Session::current()?;
    let (customers, budget) = (2000_u32, Duration::from_millis(50));
    let (mut times, mut late, mut total) = (Vec::new(), 0, 0.0);
    let begin = Instant::now();
    for number in 0..customers {
        let start = Instant::now();
        match await_until(limit(&session, Customer::number(number))?, start + budget) {
            Some(limit) => total += limit?,
            None => late += 1,
        }
        times.push(start.elapsed());
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{customers} customers, {} rules each, in {:?}: limits of {total:.0} in all", 32 + 8 + 1, begin.elapsed());
    println!(
        "an answer takes {:?} (median), {:?} (99 %), {:?} (longest); {late} were late",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}
