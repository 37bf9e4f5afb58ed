//! Integers as digits of 13 bits with a sign.

/// Bits of a digit.
pub(super) const BITS: u32 = 13;
/// The radix.
pub(super) const RADIX: i32 = 1 << BITS;
/// Digits of a block, in which numbers are worked through.
pub(super) const BLOCK: usize = 16;
/// Two digits fill a word, the lower one in its lower half.
pub(super) const BLOCK_WORDS: usize = BLOCK / 2;
/// For 4096 bits: see [`blocks_for`].
pub(super) const MOST_BLOCKS: usize = 20;

/// Blocks of a modulus of so many bits: a bit for the sign of the highest digit, and two digits
/// more that are always 0 in the modulus. R, the power of the radix beyond those blocks, so is more
/// than 2^26 times the modulus.
pub(super) fn blocks_for(bits: usize) -> usize {
    ((bits + 1).div_ceil(BITS as usize) + 2).div_ceil(BLOCK)
}

/// The words of sixteen digits.
pub(super) type Block = [i32; BLOCK_WORDS];

/// The sum of digit k times 2^(13 k). Digits may be a little beyond half the radix on either side;
/// how far, `carry` tells. One number has many forms.
#[derive(Clone, Debug)]
pub(in crate::rsa) struct Number {
    pub(super) words: [Block; MOST_BLOCKS],
}

impl Number {
    pub(super) const ZERO: Self = Self {
        words: [[0; BLOCK_WORDS]; MOST_BLOCKS],
    };

    /// Takes an unsigned big-endian number below half the power of the radix that `MOST_BLOCKS`
    /// reach; bytes beyond are left out. The digits are -4096 to 4095.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut number = Self::ZERO;
        // And a digit for the sign of the highest one
        let words = (8 * bytes.len() / BITS as usize + 2).div_ceil(2);
        let mut lowest_first = bytes.iter().rev();
        // Bits that wait, and how many
        let (mut bits, mut waiting) = (0_u32, 0);
        let mut carry = 0;
        for word in number.words.as_flattened_mut().iter_mut().take(words) {
            let mut pair = [0; 2];
            for digit in &mut pair {
                while waiting < BITS {
                    bits |= u32::from(lowest_first.next().copied().unwrap_or(0)) << waiting;
                    waiting += 8;
                }
                let value = (bits as i32 & (RADIX - 1)) + carry;
                bits >>= BITS;
                waiting -= BITS;
                carry = i32::from(value >= RADIX / 2);
                *digit = value - carry * RADIX;
            }
            *word = word_of(pair);
        }
        number
    }

    /// The digits as they are, lowest first.
    pub(super) fn digits(&self, blocks: usize) -> impl Iterator<Item = i32> {
        self.words
            .iter()
            .take(blocks)
            .flatten()
            .copied()
            .flat_map(pair_of)
    }

    pub(super) fn negative(&self) -> Self {
        Self {
            words: self
                .words
                .map(|words| words.map(|word| word_of(pair_of(word).map(|digit| -digit)))),
        }
    }

    /// Whether it is 0, in whatever form.
    pub(super) fn is_zero(&self, blocks: usize) -> bool {
        let mut carry = 0;
        for digit in self.digits(blocks) {
            let sum = digit + carry;
            if sum & (RADIX - 1) != 0 {
                return false;
            }
            carry = sum >> BITS;
        }
        carry == 0
    }

    /// The number plus `addend`, big-endian and so many bytes long, if that is not negative. It must
    /// not be longer.
    pub(super) fn plus(&self, addend: &Self, blocks: usize, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length + 2);
        let (mut bits, mut waiting) = (0_u32, 0);
        let mut carry = 0;
        for (one, two) in self.digits(blocks).zip(addend.digits(blocks)) {
            let sum = one + two + carry;
            carry = sum >> BITS;
            bits |= ((sum & (RADIX - 1)) as u32) << waiting;
            waiting += BITS;
            while waiting >= 8 {
                bytes.push(bits as u8);
                bits >>= 8;
                waiting -= 8;
            }
        }
        bytes.resize(length, 0);
        bytes.reverse();
        (carry == 0).then_some(bytes)
    }
}

pub(super) fn word_of([lower, upper]: [i32; 2]) -> i32 {
    (lower & 0xffff) | (upper << 16)
}

pub(super) fn pair_of(word: i32) -> [i32; 2] {
    [i32::from(word as i16), word >> 16]
}
