//! Numbers that look random and are the same each time.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn once_in_two(&mut self) -> bool {
        self.word() & 1 == 1
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.word() >> 32) as usize % limit
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.word() >> 56) as u8).collect()
    }

    pub fn array<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        std::array::from_fn(|_| (self.word() >> 56) as u8)
    }
}

/// So many made-up inputs a test compares: as many as `DIFFERENTIAL_INPUTS` tells.
#[must_use]
pub fn inputs(otherwise: usize) -> usize {
    std::env::var("DIFFERENTIAL_INPUTS").map_or(otherwise, |count| count.parse().expect("a number"))
}
