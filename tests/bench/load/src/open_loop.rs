//! Sends requests when their time has come, whatever became of the earlier ones.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{self, Instant},
};

use crate::{
    client::{Answer, Client},
    request::Request,
};

/// A rate for a time; requests are spaced evenly.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    pub per_second: f64,
    pub time: Duration,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// When it was to be sent, since the first.
    pub at: Duration,
    /// From when it was to be sent to the end of the answer.
    pub latency: Duration,
    pub answer: Answer,
}

/// All requests of the phases, one after the other, in the order in which they were to be sent; `requests` in turns.
/// With more than `most` on their way at once it gives up, and what is on its way counts as broken.
pub async fn offer(client: &Rc<Client>, requests: &[Request], phases: &[Phase], most: usize) -> Vec<Outcome> {
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    let mut under_way = JoinSet::new();
    let mut turns = requests.iter().cycle();
    let start = Instant::now();
    for at in times(phases) {
        time::sleep_until(start + at).await;
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= most {
            let latency = start.elapsed().saturating_sub(at);
            outcomes.borrow_mut().push(Outcome { at, latency, answer: Answer::Broken });
            break;
        }
        let (client, outcomes) = (Rc::clone(client), Rc::clone(&outcomes));
        let request = turns.next().expect("a request to send").clone();
        under_way.spawn_local(async move {
            let answer = client.send(&request).await;
            let latency = start.elapsed().saturating_sub(at);
            outcomes.borrow_mut().push(Outcome { at, latency, answer });
        });
    }
    while under_way.join_next().await.is_some() {}
    let mut outcomes = outcomes.take();
    outcomes.sort_by_key(|outcome| outcome.at);
    outcomes
}

/// When each request is to be sent, since the start.
fn times(phases: &[Phase]) -> impl Iterator<Item = Duration> {
    let starts = phases.iter().scan(Duration::ZERO, |passed, phase| {
        let start = *passed;
        *passed += phase.time;
        Some((start, *phase))
    });
    starts.flat_map(|(start, phase)| {
        let count = (phase.per_second * phase.time.as_secs_f64()) as u32;
        (0..count).map(move |number| start + Duration::from_secs_f64(f64::from(number) / phase.per_second))
    })
}
