//! Submitted calls: results, errors, annotations, what is dropped, and what waits for what.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use talatat_graph::{
    Error, Executor, Failure, Future, KernelError, Need, Pool, Submit, Threads, as_completed, gather, is_cancelled,
    join, wait_all, wait_any,
};

fn pools() -> Vec<(Threads, Pool)> {
    let threads = [1, 2, 4].map(Threads::new);
    threads
        .into_iter()
        .map(|threads| {
            let pool = threads.pool();
            (threads, pool)
        })
        .collect()
}

/// `a + b`, when both are there.
fn add(pool: &Pool, a: &Future<i64>, b: &Future<i64>) -> Future<i64> {
    let mut submit = Submit::new("add");
    submit.takes(a).takes(b);
    let (a, b) = (a.clone(), b.clone());
    submit.once(pool, move || Ok(a.result()? + b.result()?)).unwrap()
}

fn needing<T: Clone + Send + Sync + 'static>(
    pool: &Pool,
    need: Need,
    work: impl FnMut() -> T + Send + 'static,
) -> Future<T> {
    let mut work = work;
    let mut submit = Submit::new("needing");
    submit.need(need);
    submit.again(pool, move || Ok(work())).unwrap()
}

#[test]
fn results_come_whoever_waits() {
    for (_threads, pool) in pools() {
        let futures: Vec<Future<i64>> = (0..500).map(|n| pool.submit(move || n * n)).collect();
        let copies = futures.clone();
        assert_eq!(gather(futures).unwrap(), (0..500).map(|n| n * n).collect::<Vec<i64>>());
        assert_eq!(copies[7].clone().result().unwrap(), 49);
        let others: Vec<_> =
            copies.into_iter().map(|copy| std::thread::spawn(move || copy.result().unwrap())).collect();
        assert_eq!(others.into_iter().map(|thread| thread.join().unwrap()).sum::<i64>(), (0..500).map(|n| n * n).sum());
    }
}

#[test]
fn calls_wait_for_their_arguments() {
    for (_threads, pool) in pools().into_iter().chain([(Threads::new(1), Pool::inline())]) {
        let mut level: Vec<Future<i64>> = (0..64).map(|n| pool.submit(move || n)).collect();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| add(&pool, &pair[0], &pair[1])).collect();
        }
        assert_eq!(level.pop().unwrap().result().unwrap(), 2016);
    }
}

/// A chain that nobody has begun is run, and one that nobody wants is dropped, without a deep stack.
#[test]
fn depth_is_no_limit() {
    let threads = Threads::new(1);
    let pool = threads.pool();
    let (begin, wait) = mpsc::channel::<()>();
    let gate = pool.submit(move || wait.recv().map_or(0, |()| 0));
    let zero = Future::ready(1);
    let chain = |length: usize| (0..length).fold(gate.clone(), |last, _| add(&pool, &last, &zero));
    drop(chain(100_000));
    let long = chain(100_000);
    begin.send(()).unwrap();
    assert_eq!(long.result().unwrap(), 100_000);
}

#[test]
fn errors_and_panics_name_the_call_and_the_line() {
    let threads = Threads::new(2);
    let pool = threads.pool();
    let mut submit = Submit::new("ledger::post");
    let line = line!() - 1;
    submit.need(Need::default());
    let failed = submit.once(&pool, || Err::<i64, _>(Failure::from(KernelError::new("no such account")))).unwrap();
    let reader = add(&pool, &failed, &Future::ready(1));
    for error in [failed.result().unwrap_err(), reader.result().unwrap_err()] {
        assert_eq!(error.to_string(), format!("post, block 0, called at {}:{line}: no such account", file!()));
    }
    fn explodes() -> i64 {
        panic!("boom")
    }
    let error = pool.submit(explodes).result().unwrap_err();
    assert!(
        matches!(&error, Error::Panic { site, message } if site.operation == "explodes" && message == "boom"),
        "{error}"
    );
    assert_eq!(pool.submit(|| 1).result().unwrap(), 1, "the pool lives on");
}

#[test]
fn nobody_wants_it() {
    let threads = Threads::new(1);
    let pool = threads.pool();
    let (begin, wait) = mpsc::channel::<()>();
    let ran = Arc::new(AtomicUsize::new(0));
    let gate = pool.submit(move || wait.recv().is_ok());
    let count = || {
        let ran = ran.clone();
        pool.submit(move || ran.fetch_add(1, Ordering::SeqCst))
    };
    let (dropped, kept, cancelled) = (count(), count(), count());
    let copy = dropped.clone();
    drop(dropped);
    drop(copy);
    count().detach();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    cancelled.on_done(move |future| tell.lock().unwrap().push(future.result().unwrap_err().to_string()));
    assert!(cancelled.cancel() && !cancelled.cancel());
    assert!(told.lock().unwrap()[0].contains("was cancelled"), "{told:?}");
    assert_eq!(Arc::strong_count(&ran), 3, "what was dropped holds nothing");
    begin.send(()).unwrap();
    assert!(gate.result().unwrap());
    kept.result().unwrap();
    // First come, first served: the end of this one is the end of all before, if nobody runs it out of turn.
    let last = pool.submit(|| ());
    while !last.is_done() {
        std::thread::yield_now();
    }
    assert_eq!(ran.load(Ordering::SeqCst), 2);
}

#[test]
fn a_running_call_learns_that_it_is_cancelled() {
    let threads = Threads::new(2);
    let (begun, begin) = mpsc::channel();
    let (ended, end) = mpsc::channel();
    let endless = threads.pool().submit(move || {
        begun.send(()).unwrap();
        while !is_cancelled() {
            std::thread::yield_now();
        }
        ended.send(()).unwrap();
    });
    begin.recv().unwrap();
    assert!(endless.cancel());
    assert!(matches!(endless.result(), Err(Error::Dropped { .. })));
    end.recv().unwrap();
}

#[test]
fn the_first_to_end_is_the_first_to_come() {
    for (threads, pool) in pools() {
        let (begin, wait) = mpsc::channel::<i64>();
        let (begin_other, wait_other) = mpsc::channel::<i64>();
        if threads.threads() < 2 {
            continue;
        }
        let futures = vec![pool.submit(move || wait.recv().unwrap()), pool.submit(move || wait_other.recv().unwrap())];
        // Both run, or this thread would wait for what it is to send.
        while format!("{futures:?}").contains("Ready") {
            std::thread::yield_now();
        }
        begin_other.send(2).unwrap();
        assert_eq!(wait_any(&futures), Some(1));
        let mut ended = as_completed(futures);
        assert_eq!(ended.next().unwrap().result().unwrap(), 2);
        begin.send(1).unwrap();
        assert_eq!(ended.next().unwrap().result().unwrap(), 1);
        ended.push(pool.submit(|| 3));
        assert_eq!(ended.left(), 1);
        assert_eq!(ended.map(|future| future.result().unwrap()).collect::<Vec<_>>(), [3]);
        assert_eq!(wait_any::<i64>(&[]), None);
    }
}

fn fib(pool: &Pool, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let other = pool.clone();
    let first = pool.submit(move || fib(&other, n - 1));
    let second = fib(pool, n - 2);
    first.result().unwrap() + second
}

fn fib_join(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(move || fib_join(n - 1), move || fib_join(n - 2));
    a + b
}

fn quicksort(mut values: Vec<u32>) -> Vec<u32> {
    if values.len() < 2 {
        return values;
    }
    let pivot = values.swap_remove(values.len() / 2);
    let (mut low, high): (Vec<u32>, Vec<u32>) = values.into_iter().partition(|&value| value < pivot);
    let (sorted, high) = join(
        move || {
            low = quicksort(low);
            low
        },
        move || quicksort(high),
    );
    sorted.into_iter().chain([pivot]).chain(high).collect()
}

#[test]
fn calls_submit_calls() {
    for (_threads, pool) in pools().into_iter().chain([(Threads::new(1), Pool::inline())]) {
        let other = pool.clone();
        assert_eq!(pool.submit(move || fib(&other, 16)).result().unwrap(), 987);
        assert_eq!(fib(&pool, 12), 144, "from a thread that is not of the pool");
        assert_eq!(pool.submit(|| fib_join(18)).result().unwrap(), 2584);
        let values: Vec<u32> = (0..5000_u32).map(|n| n.wrapping_mul(2_654_435_769)).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        assert_eq!(pool.submit(move || quicksort(values)).result().unwrap(), sorted);
    }
}

#[test]
fn a_panic_in_one_half_comes_out_of_the_join() {
    let threads = Threads::new(2);
    for half in [0, 1] {
        let work = move || join(move || assert_ne!(half, 0, "the first"), move || assert_ne!(half, 1, "the second"));
        let error = threads.pool().submit(work).result().unwrap_err();
        assert!(error.to_string().contains(["the first", "the second"][half]), "{error}");
    }
}

/// Waiting for oneself is an error at once, not a silence for ever.
#[test]
fn a_circle_is_found() {
    for threads in [1, 2] {
        let threads = Threads::new(threads);
        let pool = threads.pool();
        let (give, take) = mpsc::channel::<Future<i64>>();
        let own = pool
            .submit(move || take.recv().unwrap().result().map_or_else(|error| error.to_string().len() as i64, |_| 0));
        give.send(own.clone()).unwrap();
        assert!(own.result().unwrap() > 20);
    }
    // Two that wait for each other: one of them is told.
    let threads = Threads::new(3);
    let pool = threads.pool();
    let both = Arc::new(Barrier::new(2));
    let (mut gives, mut futures) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (give, take) = mpsc::channel::<Future<bool>>();
        let both = both.clone();
        gives.push(give);
        futures.push(pool.submit(move || {
            both.wait();
            matches!(take.recv().unwrap().result(), Err(Error::Circular { .. }))
        }));
    }
    gives[0].send(futures[1].clone()).unwrap();
    gives[1].send(futures[0].clone()).unwrap();
    let told = gather(futures).unwrap();
    assert!(told.contains(&true), "{told:?}");
}

#[test]
fn urgent_calls_come_first() {
    let threads = Threads::new(1);
    let pool = threads.pool();
    let (begin, wait) = mpsc::channel::<()>();
    let (begun, began) = mpsc::channel();
    let gate = pool.submit(move || {
        begun.send(()).unwrap();
        wait.recv().unwrap();
    });
    began.recv().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let futures: Vec<_> = [0, -1, 5, 0, 5]
        .into_iter()
        .enumerate()
        .map(|(at, priority)| {
            let order = order.clone();
            needing(&pool, Need::default().priority(priority), move || order.lock().unwrap().push(at))
        })
        .collect();
    begin.send(()).unwrap();
    gate.result().unwrap();
    // Asked for last first: waiting would run them out of turn.
    while !futures.iter().all(Future::is_done) {
        std::thread::yield_now();
    }
    assert_eq!(*order.lock().unwrap(), [2, 4, 0, 3, 1]);
}

#[test]
fn two_at_once_and_no_more() {
    let threads = Threads::new(4);
    let pool = threads.pool();
    pool.set_resource("gpu", 2);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let futures: Vec<_> = (0..40)
        .map(|_| {
            let (now, most) = (now.clone(), most.clone());
            needing(&pool, Need::default().resource("gpu", 1), move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                (0..100).for_each(|_| std::thread::yield_now());
                now.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    wait_all(&futures).unwrap();
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    let mut submit = Submit::new("train");
    submit.need(Need::default().resource("gpu", 3));
    let error = submit.once(&pool, || Ok(())).unwrap_err();
    assert!(matches!(error, Error::Resource { wanted: 3, total: 2, .. }), "{error}");
}

/// A call holds the only one of what the call needs that it waits for.
#[test]
fn waiting_for_what_one_holds_is_an_error() {
    for count in [1, 3] {
        let threads = Threads::new(count);
        let pool = threads.pool();
        pool.set_resource("gpu", 1);
        let inner = pool.clone();
        let outer = needing(&pool, Need::default().resource("gpu", 1), move || {
            needing(&inner, Need::default().resource("gpu", 1), || 1).result().map_err(|error| error.to_string())
        });
        let error = outer.result().unwrap().unwrap_err();
        assert!(error.contains("cannot end before it does"), "{error}");
    }
}

#[test]
fn bytes_are_reserved_until_the_result_goes() {
    let threads = Threads::new(2);
    let pool = threads.pool();
    pool.set_memory_limit(Some(100));
    let first = needing(&pool, Need::default().bytes(70), || 1);
    first.wait().unwrap();
    assert_eq!(pool.reserved(), 70);
    let (begin, wait) = mpsc::channel::<()>();
    let mut wait = Some(wait);
    let running = needing(&pool, Need::default().bytes(10), move || {
        let _ = wait.take().map(|wait| wait.recv());
    });
    let other = running.clone();
    let waiter = std::thread::spawn(move || other.result().unwrap());
    while !format!("{running:?}").contains("Running") {
        std::thread::yield_now();
    }
    let second = needing(&pool, Need::default().bytes(60), || 2);
    assert_eq!(pool.submit(|| 3).result().unwrap(), 3, "others pass by");
    assert!(!second.is_done());
    assert_eq!(pool.stuck(), ["1 calls wait for 60 B"]);
    assert_eq!(first.result().unwrap(), 1);
    second.wait().unwrap();
    begin.send(()).unwrap();
    waiter.join().unwrap();
    running.result().unwrap();
    // What is held by results alone stops nobody: only their owner could free it.
    let third = needing(&pool, Need::default().bytes(90), || 3);
    assert_eq!((third.result().unwrap(), second.result().unwrap()), (3, 2));
    assert_eq!(pool.reserved(), 0);
}

#[test]
fn failures_are_tried_again() {
    for (_threads, pool) in pools().into_iter().chain([(Threads::new(1), Pool::inline())]) {
        for (failures, retries) in [(0, 0), (2, 2), (3, 2)] {
            let mut tries = 0;
            let need = Need::default().retries(retries, Duration::from_millis(1)).name("flaky");
            let mut submit = Submit::new("flaky");
            submit.need(need);
            let future = submit
                .again(&pool, move || {
                    tries += 1;
                    assert!(tries <= 3 || failures == 3);
                    if tries <= failures { Err(KernelError::new(format!("failure {tries}")).into()) } else { Ok(tries) }
                })
                .unwrap();
            match future.result() {
                Ok(tries) => assert_eq!((tries, failures <= retries), (failures + 1, true)),
                Err(error) => assert!(failures > retries && error.to_string().contains("failure 3"), "{error}"),
            }
        }
    }
}

/// A call waits within a call, for one that is tried again: the only thread does both.
#[test]
fn the_only_thread_waits_for_a_retry() {
    let threads = Threads::new(1);
    let pool = threads.pool();
    let inner = pool.clone();
    let outer = pool.submit(move || {
        let mut tries = 0;
        let need = Need::default().retries(3, Duration::from_millis(1));
        needing(&inner, need, move || {
            tries += 1;
            assert!(tries > 2);
            tries
        })
        .result()
        .unwrap()
    });
    outer.wait().unwrap();
    assert_eq!(outer.result().unwrap(), 3);
}

#[test]
fn any_runtime_can_await_it() {
    use std::task::{Context, Poll, Wake};
    struct Bell(mpsc::SyncSender<()>);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            let _ = self.0.try_send(());
        }
    }
    fn block_on<F: std::future::Future>(future: F) -> F::Output {
        let (ring, bell) = mpsc::sync_channel(1);
        let waker = Arc::new(Bell(ring)).into();
        let mut future = std::pin::pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(value) => return value,
                Poll::Pending => bell.recv().unwrap(),
            }
        }
    }
    for (_threads, pool) in pools() {
        let total = block_on(async {
            let (a, b) = (pool.submit(|| 40), pool.submit(|| 2));
            Ok::<i64, Error>(a.await? + b.await?)
        });
        assert_eq!(total.unwrap(), 42);
    }
}

/// A future outlives whoever made the pool; the threads go when nobody can use them any more.
#[test]
fn the_pool_outlives_its_maker() {
    let future = Threads::new(2).pool().submit(|| 5);
    assert_eq!(future.result().unwrap(), 5);
    let executor: Arc<dyn Executor> = Arc::new(Threads::new(1));
    let futures: Vec<_> = (0..100).map(|n: u64| executor.pool().unwrap().submit(move || n)).collect();
    drop(executor);
    assert_eq!(gather(futures).unwrap().len(), 100);
}
