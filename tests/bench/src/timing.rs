//! Medians of runs taken in turns, so that a drift of the machine's speed meets every row alike.

use std::time::Instant;

/// Runs every contender once per round and returns the median of each, in seconds.
pub fn in_turns(
    rounds: usize,
    contenders: &mut [(&'static str, Box<dyn FnMut() + '_>)],
) -> Vec<(String, f64)> {
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..=rounds {
        for ((_, run), times) in contenders.iter_mut().zip(&mut times) {
            let start = Instant::now();
            run();
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    contenders
        .iter()
        .zip(times)
        .map(|((name, _), mut times)| {
            times.sort_by(f64::total_cmp);
            (name.to_string(), times[times.len() / 2])
        })
        .collect()
}
