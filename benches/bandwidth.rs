//! The memory bandwidth: what this machine does when it does nothing but stream, by STREAM's triad a = b + s * c on
//! arrays that no cache holds. A small shared library (`cargo build --release --example memory_bandwidth`) for
//! `peers.py`.

use std::thread;
use std::time::{Duration, Instant};

/// Elements of an array: 64 MiB.
const LENGTH: usize = 8 << 20;
/// What STREAM counts for an element: two reads and a write. That most stores read the line first goes uncounted.
const BYTES: usize = 3 * size_of::<f64>();
/// The first pass finds its pages; the best of the others counts.
const LEAST_PASSES: usize = 4;

fn triad(a: &mut [f64], b: &[f64], c: &[f64]) {
    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
        *a = b + 3.0 * c;
    }
}

/// Bytes a second of `threads` threads together, the best pass of about `duration`.
fn bytes_per_second(threads: usize, duration: Duration) -> f64 {
    let (mut a, b, c) = (vec![0.0; LENGTH], vec![1.0; LENGTH], vec![2.0; LENGTH]);
    let share = LENGTH.div_ceil(threads);
    let began = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < LEAST_PASSES || began.elapsed() < duration {
        let start = Instant::now();
        thread::scope(|scope| {
            let mut parts = a.chunks_mut(share).zip(b.chunks(share)).zip(c.chunks(share));
            let own = parts.next();
            for ((a, b), c) in parts {
                scope.spawn(|| triad(a, b, c));
            }
            if let Some(((a, b), c)) = own {
                triad(a, b, c);
            }
        });
        seconds.push(start.elapsed().as_secs_f64());
        std::hint::black_box(&mut a);
    }
    let best = seconds[1..].iter().copied().fold(f64::INFINITY, f64::min);
    (LENGTH * BYTES) as f64 / best
}

/// The bandwidth in bytes a second, for `peers.py`.
#[unsafe(no_mangle)]
pub extern "C" fn memory_bandwidth(threads: usize, seconds: f64) -> f64 {
    bytes_per_second(threads.max(1), Duration::from_secs_f64(seconds))
}
