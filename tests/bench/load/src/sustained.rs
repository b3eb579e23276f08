//! The highest rate that a server stands.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{
    client::{Answer, Client},
    figures::{Counts, Latencies, between},
    open_loop::{Outcome, Phase, offer},
    process::Process,
    request::Request,
};

/// The p99 that callers put up with.
const LIMIT: Duration = Duration::from_secs(1);

/// Long enough to see a backlog grow.
const TRIAL: Duration = Duration::from_secs(12);

/// The beginning of a trial, which does not count: connections are made, caches fill.
const WARM_UP: Duration = Duration::from_secs(2);

/// How the first guess is made: so many callers, each after its answer, for a time.
const CALLERS: usize = 4;
const GUESS: Duration = Duration::from_secs(3);

/// What is tried at first is so many times the guess, and as much more again as long as it is stood.
const BEYOND: f64 = 1.2;

/// Halvings of the interval between what it stands and what it does not: 0.9 of the first guess, in the end 1.4 % of it.
const STEPS: u32 = 6;

/// The highest rate at which all is done, p99 stays under a second and no backlog grows.
#[derive(Clone, Copy, Debug)]
pub struct Sustained {
    pub per_second: f64,
    pub latencies: Latencies,
    /// Cores that the server was busy on, and this program.
    pub server_cores: f64,
    pub own_cores: f64,
    /// The lowest rate that it did not stand.
    pub end: End,
}

/// A rate that was not stood.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub per_second: f64,
    pub reason: &'static str,
}

/// Finds it by halving. `None` when nothing that was tried was stood.
pub async fn sustained(client: &Rc<Client>, request: &Request, server: Process) -> Option<Sustained> {
    let guess = closed_loop(client, request).await;
    let (mut stands, mut highest, mut best) = (0.3 * guess, BEYOND * guess, None);
    let mut end = loop {
        match trial(client, request, server, highest).await {
            Ok(trial) => (stands, best) = (highest, Some(trial)),
            Err(end) => break end,
        }
        highest *= BEYOND;
    };
    for _ in 0..STEPS {
        let per_second = f64::midpoint(stands, end.per_second);
        match trial(client, request, server, per_second).await {
            Ok(trial) => (stands, best) = (per_second, Some(trial)),
            Err(sooner) => end = sooner,
        }
    }
    best.map(|Trial { latencies, server_cores, own_cores }| Sustained {
        per_second: stands,
        latencies,
        server_cores,
        own_cores,
        end,
    })
}

/// A rate that was stood.
#[derive(Clone, Copy, Debug)]
struct Trial {
    latencies: Latencies,
    server_cores: f64,
    own_cores: f64,
}

async fn trial(
    client: &Rc<Client>,
    request: &Request,
    server: Process,
    per_second: f64,
) -> Result<Trial, End> {
    // With twice as many on their way as may come in the limit, it is lost.
    let most = (2.0 * per_second * LIMIT.as_secs_f64()) as usize + CALLERS;
    let (server_before, own_before) = (server.usage(), Process::this().usage());
    let outcomes =
        offer(client, std::slice::from_ref(request), &[Phase { per_second, time: TRIAL }], most).await;
    let (server_after, own_after) = (server.usage(), Process::this().usage());
    let counted = between(&outcomes, WARM_UP, TRIAL);
    let latencies = Latencies::of(counted);
    let counts = Counts::of(&outcomes);
    let reasons = [
        (counts.refused > 0, "refused some"),
        (counts.other > 0, "answered some badly or not at all"),
        (latencies.p99 >= LIMIT, "p99 of a second"),
        (grows(counted), "backlog"),
    ];
    match reasons.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, reason)) => Err(End { per_second, reason }),
        None => Ok(Trial {
            latencies,
            server_cores: server_after.cores_since(&server_before),
            own_cores: own_after.cores_since(&own_before),
        }),
    }
}

/// Whether more were on their way in the last quarter than in the second one, by more than chance. How many there are
/// is the rate times the mean latency (Little's law).
fn grows(outcomes: &[Outcome]) -> bool {
    let quarter = outcomes.len() / 4;
    let mean = |part: &[Outcome]| {
        part.iter().map(|one| one.latency.as_secs_f64()).sum::<f64>() / part.len().max(1) as f64
    };
    let (second, last) = (mean(&outcomes[quarter..2 * quarter]), mean(&outcomes[3 * quarter..]));
    last > 1.5 * second + 0.05
}

/// How many it does in a second when each of a few callers waits for its answer.
async fn closed_loop(client: &Rc<Client>, request: &Request) -> f64 {
    let start = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (client, request) = (Rc::clone(client), request.clone());
        callers.spawn_local(async move {
            let mut done = 0;
            while start.elapsed() < GUESS {
                assert_eq!(client.send(&request).await, Answer::Done, "a few callers are too many");
                done += 1;
            }
            done
        });
    }
    let done: u32 = callers.join_all().await.iter().sum();
    f64::from(done) / start.elapsed().as_secs_f64()
}
