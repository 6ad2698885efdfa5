//! What a submitted call costs, and nested parallel work beside rayon.
//!
//! `cargo bench -p talatat-graph --bench futures [-- --threads N]`

use std::time::{Duration, Instant};

use talatat_graph::{Future, Need, Submit, Threads, gather, join, spawn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs of each measurement; the best one and the median are shown.
const RUNS: usize = 9;

fn measure(name: &str, per: usize, mut work: impl FnMut()) -> f64 {
    // `--only WORD` measures what has the word in its name.
    let only = std::env::args().skip_while(|argument| argument != "--only").nth(1);
    if only.is_some_and(|only| !name.contains(&only)) {
        return f64::NAN;
    }
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    let nanos = |time: Duration| time.as_nanos() as f64 / per as f64;
    println!("{name:44} {:>12.1} ns best {:>12.1} ns median", nanos(times[0]), nanos(times[RUNS / 2]));
    nanos(times[RUNS / 2])
}

fn fib_submit(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let first = spawn(move || fib_submit(n - 1));
    let second = fib_submit(n - 2);
    first.result().unwrap_or_default() + second
}

fn fib_join(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(move || fib_join(n - 1), move || fib_join(n - 2));
    a + b
}

fn fib_rayon(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fib_rayon(n - 1), || fib_rayon(n - 2));
    a + b
}

fn partition(values: &mut [u32]) -> usize {
    let (last, middle) = (values.len() - 1, values.len() / 2);
    values.swap(middle, last);
    let mut low = 0;
    for at in 0..last {
        if values[at] <= values[last] {
            values.swap(low, at);
            low += 1;
        }
    }
    values.swap(low, last);
    low
}

fn sort_rayon(values: &mut [u32]) {
    if values.len() > 1 {
        let middle = partition(values);
        let (low, high) = values.split_at_mut(middle);
        rayon::join(|| sort_rayon(low), || sort_rayon(&mut high[1..]));
    }
}

fn sort_here(values: &mut [u32]) {
    if values.len() > 1 {
        let middle = partition(values);
        let (low, high) = values.split_at_mut(middle);
        sort_here(low);
        sort_here(&mut high[1..]);
    }
}

/// Halves are vectors of their own while they are large.
fn sort_join(mut values: Vec<u32>) -> Vec<u32> {
    if values.len() < 4096 {
        sort_here(&mut values);
        return values;
    }
    let middle = partition(&mut values);
    let high = values.split_off(middle + 1);
    let pivot = values.pop();
    let (mut low, high) = join(move || sort_join(values), move || sort_join(high));
    low.extend(pivot);
    low.extend(high);
    low
}

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--threads").skip(1);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let count = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(cores);
    let threads = Threads::new(count);
    let pool = threads.pool();
    println!("{count} threads");

    measure("submit to result, from outside", 1000, || {
        (0..1000_u64).for_each(|n| assert_eq!(pool.submit(move || n).result().ok(), Some(n)));
    });
    measure("submit to result, run by the pool", 100, || {
        for n in 0..100_u64 {
            let future = pool.submit(move || n);
            while !future.is_done() {
                std::hint::spin_loop();
            }
        }
    });
    measure("submit to result, within a call", 100_000, || {
        let inner = pool.clone();
        let _ = pool.submit(move || (0..100_000_u64).for_each(|n| drop(inner.submit(move || n).result()))).result();
    });
    measure("map and gather, from outside", 100_000, || {
        let futures: Vec<Future<u64>> = (0..100_000).map(|n| pool.submit(move || n)).collect();
        assert_eq!(gather(futures).map(|values| values.len()).ok(), Some(100_000));
    });
    measure("annotated: priority and a resource", 10_000, || {
        pool.set_resource("gpu", 2);
        let futures = (0..10_000).map(|n| {
            let mut submit = Submit::new("annotated");
            submit.need(Need::default().priority(n % 7).resource("gpu", 1));
            submit.once(&pool, move || Ok(n))
        });
        let futures: Vec<Future<i32>> = futures.filter_map(Result::ok).collect();
        assert_eq!(gather(futures).map(|values| values.len()).ok(), Some(10_000));
    });
    measure("a chain of arguments", 10_000, || {
        let last = (0..10_000).fold(Future::ready(0), |last: Future<u64>, _| {
            let mut submit = Submit::new("next");
            submit.takes(&last);
            submit.once(&pool, move || Ok(last.result()? + 1)).unwrap_or_else(Future::failed)
        });
        assert_eq!(last.result().ok(), Some(10_000));
    });

    let rayon = rayon::ThreadPoolBuilder::new().num_threads(count).build();
    let Ok(rayon) = rayon else { return };
    let calls = 1_664_079; // splits of fib(30), about
    let peer = measure("fib(30), rayon's join", calls, || assert_eq!(rayon.install(|| fib_rayon(30)), 832_040));
    let own = measure("fib(30), join", calls, || assert_eq!(pool.submit(|| fib_join(30)).result().ok(), Some(832_040)));
    println!("{:44} {:>12.2} x rayon", "", own / peer);
    let submitted = measure("fib(30), spawn and result at each split", calls, || {
        assert_eq!(pool.submit(|| fib_submit(30)).result().ok(), Some(832_040));
    });
    println!("{:44} {:>12.2} x rayon", "", submitted / peer);

    let values: Vec<u32> = (0..2_000_000_u32).map(|n| n.wrapping_mul(2_654_435_769) ^ (n >> 3)).collect();
    let mut sorted = values.clone();
    sorted.sort_unstable();
    let peer = measure("quicksort of 2,000,000, rayon", values.len(), || {
        let mut values = values.clone();
        rayon.install(|| sort_rayon(&mut values));
        assert!(values == sorted);
    });
    let own = measure("quicksort of 2,000,000, join", values.len(), || {
        let values = values.clone();
        assert!(pool.submit(move || sort_join(values)).result().is_ok_and(|values| values == sorted));
    });
    println!("{:44} {:>12.2} x rayon", "", own / peer);
}
