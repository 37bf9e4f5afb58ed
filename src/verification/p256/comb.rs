//! Multiples of a point by a comb (Lim and Lee, "More flexible exponentiation with precomputation",
//! 1994) with digits of ±1 only (Hedabou, Pinel and Bénéteau, "A comb method to render ECC resistant
//! against side channel attacks", 2004; here for its speed).
//!
//! An odd scalar u below 2^L is the sum of ±2^i over all i below L, where the sign at i is that of
//! bit i of v = (u + 2^L - 1)/2. An even one is replaced by n - u, and the point by its negative.
//!
//! The comb has [`TEETH`] teeth, [`SPACING`] bits apart. Column c of the scalar is its bits c,
//! c + SPACING, c + 2 SPACING ...; a table has the sums of the teeth's multiples with all signs for
//! the lower ones, and the topmost tooth's sign goes before all. The columns fall into [`BLOCKS`]
//! blocks of [`ROWS`], each with a table of its own for the multiples that it needs, so that only the
//! columns within a block are told apart by doublings.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices below constants that arrays are as long as, or below lengths"
)]

use super::curve::{self, Affine, Extended};
use super::field::{self, Element};
use super::limbs::{BITS, Limbs};
use super::scalar;

/// With these a table has 147 kB, and a check takes 26 additions of pairs and 6 doublings.
const TEETH: usize = 10;
const SPACING: usize = 26;
const BLOCKS: usize = 4;
const ROWS: usize = SPACING.div_ceil(BLOCKS);
/// Bits of a scalar, L above.
const LENGTH: usize = TEETH * SPACING;
/// Teeth whose sums are made apart from the others', so that most entries take one addition.
const LOW_TEETH: usize = TEETH / 2;
/// Entries of a block's table.
const ENTRIES: usize = 1 << (TEETH - 1);

const _: () = assert!(LENGTH >= 256);
/// Factors of P that are added to make a table add up to less than 2^255 + 2^(256 - SPACING), below n.
const _: () = assert!((TEETH - 1) * SPACING + (BLOCKS - 1) * ROWS <= 255 && SPACING > 8);

/// The multiples of a point.
#[derive(Debug)]
pub struct Table(Vec<Entry>);

/// A point in half the space: limbs have 29 bits and a sign.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    x: [i32; 9],
    y: [i32; 9],
}

impl From<&Affine> for Entry {
    fn from(point: &Affine) -> Self {
        let [x, y] = [point.x, point.y].map(|Element(limbs)| limbs.map(|limb| limb as i32));
        Self { x, y }
    }
}

impl Entry {
    #[inline(always)]
    fn x(&self) -> Element {
        Element(self.x.map(i64::from))
    }

    #[inline(always)]
    fn point(&self, is_negative: bool) -> Affine {
        // -a is !a + 1
        let sign = -i64::from(is_negative);
        Affine {
            x: self.x(),
            y: Element(self.y.map(|limb| (i64::from(limb) ^ sign) - sign)),
        }
    }
}

impl Table {
    /// Never none for a point of the curve: it has order n, so that two multiples have the same x
    /// only if the sum or difference of their factors is a multiple of n. Here all factors that are
    /// added up or subtracted are positive and different, and sums are below n.
    #[cold]
    #[inline(never)]
    pub fn new(point: &Affine) -> Option<Self> {
        let teeth = teeth(point)?;
        let mut entries = vec![Entry::default(); BLOCKS * ENTRIES];
        for (teeth, entries) in teeth.chunks(TEETH).zip(entries.chunks_mut(ENTRIES)) {
            let (low, high) = teeth.split_at_checked(LOW_TEETH)?;
            add_all(&signed_sums(high)?, &signed_sums(low)?, entries)?;
        }
        Some(Self(entries))
    }

    /// The entry for a column.
    #[inline(always)]
    fn get(&self, column: usize, digit: Digit) -> Option<&Entry> {
        self.0.get(column / ROWS * ENTRIES + digit.index)
    }
}

/// What the teeth stand for: 2^(SPACING i + ROWS b) P, block by block.
fn teeth(point: &Affine) -> Option<Vec<Affine>> {
    let mut teeth = vec![Extended::new(point); BLOCKS * TEETH];
    let mut power = Extended::new(point);
    let mut exponent = 0;
    for tooth in 0..TEETH {
        for block in 0..BLOCKS {
            while exponent < tooth * SPACING + block * ROWS {
                power.double();
                exponent += 1;
            }
            teeth[block * TEETH + tooth] = power;
        }
    }
    curve::to_affine(&teeth)
}

/// The sums of all teeth with the last one positive and all signs for the others: bit i of an index
/// is 1 if tooth i is positive.
fn signed_sums(teeth: &[Affine]) -> Option<Vec<Affine>> {
    let (last, others) = teeth.split_last()?;
    let mut sums = vec![*last];
    for tooth in others.iter().rev() {
        let mut doubled = vec![curve::BASE; sums.len() * 2];
        let distances: Vec<Element> = sums.iter().map(|sum| tooth.distance_from(sum)).collect();
        let mut inverses = vec![field::ZERO; sums.len()];
        curve::invert_all(&distances, &mut inverses)?;
        let negative = tooth.negative();
        for (i, sum) in sums.iter().enumerate() {
            for (j, tooth) in [&negative, tooth].into_iter().enumerate() {
                let doubled = &mut doubled[2 * i + j];
                doubled.set_sum(sum, tooth, &distances[i], &inverses[i]);
                doubled.settle();
            }
        }
        sums = doubled;
    }
    Some(sums)
}

/// All sums of one of `high` and one of `low`, which come with both signs: an index of `low` has one
/// bit more for that, and a negative one's other bits are complemented.
fn add_all(high: &[Affine], low: &[Affine], entries: &mut [Entry]) -> Option<()> {
    let distances = high
        .iter()
        .flat_map(|high| low.iter().map(|low| low.distance_from(high)));
    let distances: Vec<Element> = distances.collect();
    let mut inverses = vec![field::ZERO; distances.len()];
    curve::invert_all(&distances, &mut inverses)?;
    let negative: Vec<Affine> = low.iter().map(Affine::negative).collect();
    let mut sum = curve::BASE;
    for (i, high) in high.iter().enumerate() {
        for j in 0..low.len() {
            let (distance, inverse) = (&distances[i * low.len() + j], &inverses[i * low.len() + j]);
            sum.set_sum(high, &low[j], distance, inverse);
            sum.settle();
            entries[(2 * i + 1) * low.len() + j] = Entry::from(&sum);
            sum.set_sum(high, &negative[j], distance, inverse);
            sum.settle();
            entries[(2 * i + 1) * low.len() - 1 - j] = Entry::from(&sum);
        }
    }
    Some(())
}

/// u1 P1 + u2 P2, for the tables of P1 and P2 and scalars in 0..n. ZZ = 0, or none, if an addition
/// met two points with the same x, or the sum is infinity.
///
/// The two points of each column are added first, by chords with one inversion for all columns, at
/// six products each. It fails if, and only if, the points of a column have the same x: whatever
/// keys and scalars are chosen for, no chord is used that is not one. What comes then is one chain
/// of additions and doublings in which ZZ becomes 0 at the first step that its formula does not do,
/// and stays 0, so that one look at the end is enough.
pub fn sum(table1: &Table, u1: &Limbs, table2: &Table, u2: &Limbs) -> Option<Extended> {
    let (comb1, comb2) = (Comb::new(u1), Comb::new(u2));
    let mut distances = [field::ZERO; SPACING];
    for (column, distance) in distances.iter_mut().enumerate() {
        let first = table1.get(column, comb1.digit(column))?;
        let second = table2.get(column, comb2.digit(column))?;
        *distance = field::difference(&second.x(), &first.x());
    }
    let mut inverses = [field::ZERO; SPACING];
    curve::invert_all(&distances, &mut inverses)?;
    let set_pair = |pair: &mut Affine, column: usize| {
        let (digit1, digit2) = (comb1.digit(column), comb2.digit(column));
        let first = table1.get(column, digit1)?.point(digit1.is_negative);
        let second = table2.get(column, digit2)?.point(digit2.is_negative);
        pair.set_sum(
            &first,
            &second,
            distances.get(column)?,
            inverses.get(column)?,
        );
        Some(())
    };
    let mut pair = curve::BASE;
    set_pair(&mut pair, ROWS - 1)?;
    let mut sum = Extended::new(&pair);
    for row in (0..ROWS).rev() {
        let is_first = row == ROWS - 1;
        if !is_first {
            sum.double();
        }
        for block in usize::from(is_first)..BLOCKS {
            let column = block * ROWS + row;
            // The last block has fewer rows.
            if column < SPACING {
                set_pair(&mut pair, column)?;
                sum.add(&pair);
            }
        }
    }
    (!sum.zz.is_zero()).then_some(sum)
}

/// The columns of a scalar.
struct Comb {
    /// Sixteen bits for each, four to a word.
    columns: [u64; SPACING.div_ceil(4)],
    is_even: bool,
}

/// A column: which entry of its block's table, and whether its negative.
#[derive(Clone, Copy)]
struct Digit {
    index: usize,
    is_negative: bool,
}

impl Comb {
    /// For scalars in 0..n.
    fn new(u: &Limbs) -> Self {
        let is_even = u[0] & 1 == 0;
        let odd = if is_even { scalar::negative(u) } else { *u };
        let mut words = [0_u64; LENGTH / 64 + 2];
        for (i, limb) in odd.iter().enumerate() {
            let at = i * BITS as usize;
            let shifted = u128::from(*limb as u64) << (at % 64);
            words[at / 64] |= shifted as u64;
            words[at / 64 + 1] |= (shifted >> 64) as u64;
        }
        // v = (u - 1)/2 + 2^(L-1): its bit i is bit i + 1 of u, and the last one is 1.
        words[LENGTH / 64] |= 1 << (LENGTH % 64);
        let mut columns = [0; SPACING.div_ceil(4)];
        for tooth in 0..TEETH {
            let at = tooth * SPACING + 1;
            let window = u128::from(words[at / 64 + 1]) << 64 | u128::from(words[at / 64]);
            let bits = (window >> (at % 64)) as u64;
            for (i, columns) in columns.iter_mut().enumerate() {
                // Four bits, sixteen apart: bit j times 2^(15 j) is at 16 j. All other products of
                // the multiplication are elsewhere.
                let spread = (bits >> (4 * i) & 15) * 0x0000_2000_4000_8001;
                *columns |= (spread & 0x0001_0001_0001_0001) << tooth;
            }
        }
        Self { columns, is_even }
    }

    #[inline(always)]
    fn digit(&self, column: usize) -> Digit {
        let bits = (self.columns[column / 4] >> (16 * (column % 4))) as usize;
        let is_positive = bits >> (TEETH - 1) & 1 == 1;
        let index = if is_positive { bits } else { !bits } % ENTRIES;
        Digit {
            index,
            is_negative: is_positive == self.is_even,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::complete;
    use super::super::reference::{self, Number, ORDER as N, Random};
    use super::*;

    fn times(factor: Number, point: &Affine) -> Option<Extended> {
        complete::sum(point, &reference::limbs(factor), point, &[0; 9])
    }

    fn power_of_two(exponent: usize) -> Number {
        let two = [2, 0, 0, 0];
        (0..exponent).fold([1, 0, 0, 0], |power, _| reference::product(power, two, N))
    }

    fn is_same(a: &Affine, b: &Extended) -> bool {
        b.has_x(&a.x) && b.has_y(&a.y)
    }

    #[test]
    fn tables_are_right() {
        let mut random = Random(6);
        let point = times(random.below(N), &curve::BASE).unwrap();
        let point = curve::to_affine(&[point]).unwrap()[0];
        let table = Table::new(&point).unwrap();
        assert_eq!(table.0.len(), BLOCKS * ENTRIES);
        for _ in 0..300 {
            let block = random.next() as usize % BLOCKS;
            let index = random.next() as usize % ENTRIES;
            let factor = (0..TEETH).fold([0; 4], |sum, tooth| {
                let power = power_of_two(tooth * SPACING + block * ROWS);
                let is_positive = tooth == TEETH - 1 || index >> tooth & 1 == 1;
                let signed = if is_positive {
                    power
                } else {
                    reference::negative(power, N)
                };
                reference::sum(sum, signed, N)
            });
            let expected = times(factor, &point).unwrap();
            let entry = table.0[block * ENTRIES + index];
            assert!(is_same(&entry.point(false), &expected));
            assert!(!is_same(&entry.point(true), &expected));
        }
    }

    /// Scalars as they come, special ones, and points whose tables have entries in common with G's:
    /// the fast sum is right or none, and then the complete one is right.
    #[test]
    fn sums_are_right() {
        let mut random = Random(7);
        let base = Table::new(&curve::BASE).unwrap();
        let (mut fast, mut slow, mut infinite) = (0, 0, 0);
        let one: Number = [1, 0, 0, 0];
        let factors = [
            one,
            [2, 0, 0, 0],
            [3, 0, 0, 0],
            power_of_two(SPACING),
            power_of_two(ROWS),
            reference::sum(power_of_two(SPACING), one, N),
            reference::inverse([2, 0, 0, 0], N),
            random.below(N),
        ];
        for factor in factors
            .iter()
            .flat_map(|k| [*k, reference::negative(*k, N)])
        {
            let point = curve::to_affine(&[times(factor, &curve::BASE).unwrap()]).unwrap()[0];
            let table = Table::new(&point).unwrap();
            for case in 0..60 {
                let u2 = random.below(N);
                let u1 = match case % 6 {
                    0 => u2,
                    1 => reference::negative(u2, N),
                    2 => reference::product(u2, factor, N),
                    3 => reference::negative(reference::product(u2, factor, N), N),
                    _ => random.below(N),
                };
                let total = reference::sum(u1, reference::product(u2, factor, N), N);
                let expected = times(total, &curve::BASE);
                let (u1, u2) = (reference::limbs(u1), reference::limbs(u2));
                let found = match sum(&base, &u1, &table, &u2) {
                    Some(sum) => {
                        fast += 1;
                        Some(sum)
                    }
                    None => {
                        slow += 1;
                        complete::sum(&curve::BASE, &u1, &point, &u2)
                    }
                };
                match (expected, found) {
                    (Some(expected), Some(found)) => {
                        let found = curve::to_affine(&[found]).unwrap()[0];
                        assert!(is_same(&found, &expected));
                    }
                    (None, None) => infinite += 1,
                    _ => panic!("{factor:x?} {u1:x?} {u2:x?}"),
                }
            }
        }
        assert!(
            fast > 500 && slow > infinite && infinite > 100,
            "{fast} {slow} {infinite}"
        );
    }

    #[test]
    fn a_comb_adds_up_to_its_scalar() {
        let mut random = Random(8);
        let powers: Vec<Number> = (0..LENGTH).map(power_of_two).collect();
        for _ in 0..200 {
            let u = random.below(N);
            let comb = Comb::new(&reference::limbs(u));
            let mut total = [0; 4];
            for column in 0..SPACING {
                let digit = comb.digit(column);
                for tooth in 0..TEETH {
                    let power = powers[column + tooth * SPACING];
                    let is_positive = tooth == TEETH - 1 || digit.index >> tooth & 1 == 1;
                    let is_negative = is_positive == digit.is_negative;
                    let signed = if is_negative {
                        reference::negative(power, N)
                    } else {
                        power
                    };
                    total = reference::sum(total, signed, N);
                }
            }
            assert_eq!(total, u);
        }
    }
}
