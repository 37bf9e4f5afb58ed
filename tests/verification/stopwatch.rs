//! How long something takes.

/// Microseconds a run, over so many.
#[allow(clippy::disallowed_methods, reason = "to measure takes a clock")]
pub fn microseconds(runs: usize, mut run: impl FnMut()) -> f64 {
    let from = std::time::Instant::now();
    for _ in 0..runs {
        run();
    }
    from.elapsed().as_secs_f64() * 1e6 / runs as f64
}

/// The median of what each of them takes, in rounds in which each has its turn: what else the
/// machine does then falls on all.
pub fn medians(
    rounds: usize,
    measured: &mut [(&'static str, usize, &mut dyn FnMut())],
) -> Vec<(&'static str, f64)> {
    let mut times = vec![Vec::new(); measured.len()];
    for _ in 0..rounds.max(1) {
        for ((_, runs, run), times) in measured.iter_mut().zip(&mut times) {
            times.push(microseconds(*runs, run));
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let names = measured.iter().map(|(name, ..)| *name);
    names.zip(times.into_iter().map(median)).collect()
}
