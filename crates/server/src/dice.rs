//! Dice for tests that live through long histories: what is thrown follows from the
//! seed, so that a history that ends badly can be lived again.

/// So many steps from a seed: what is done, and how.
pub fn steps(seed: u64, count: usize) -> Vec<(u8, u8)> {
    // Splitmix64: as even as is needed here.
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    };
    (0..count)
        .map(|_| {
            let [action, dice, ..] = next();
            (action, dice)
        })
        .collect()
}
