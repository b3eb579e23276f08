//! Numbers that look random and are the same in every run.

/// Gives a number below its argument at each call (xorshift, Marsaglia 2003). `seed` is not 0.
pub(crate) fn pseudo_random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    }
}
