//! A sum of multiples for all points and scalars: slow, for what the fast one does not do.

use super::curve::{Affine, Extended};
use super::limbs::{BITS, Limbs};

/// u1 P1 + u2 P2 bit by bit; none is infinity.
#[cold]
#[inline(never)]
pub fn sum(p1: &Affine, u1: &Limbs, p2: &Affine, u2: &Limbs) -> Option<Extended> {
    let mut sum: Option<Extended> = None;
    for (limb1, limb2) in u1.iter().zip(u2).rev() {
        for bit in (0..BITS).rev() {
            if let Some(sum) = &mut sum {
                sum.double();
            }
            for (limb, point) in [(limb1, p1), (limb2, p2)] {
                if limb >> bit & 1 == 1 {
                    sum = Extended::complete_sum(sum, point);
                }
            }
        }
    }
    sum
}
