//! WebAssembly's SIMD. `portable` tells what each operation is.

use core::arch::wasm32::{
    i16x8_add, i16x8_narrow_i32x4, i16x8_shuffle, i32x4_add, i32x4_dot_i16x8, i32x4_shr,
    i32x4_shuffle, i32x4_splat, v128, v128_and,
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector(v128);

impl Vector {
    #[inline(always)]
    pub(crate) fn load(words: [i32; 4]) -> Self {
        // SAFETY: both are 16 bytes, of which any are valid.
        Self(unsafe { core::mem::transmute::<[i32; 4], v128>(words) })
    }

    #[inline(always)]
    pub(crate) fn store(self) -> [i32; 4] {
        // SAFETY: both are 16 bytes, of which any are valid.
        unsafe { core::mem::transmute::<v128, [i32; 4]>(self.0) }
    }

    #[inline(always)]
    pub(crate) fn splat(word: i32) -> Self {
        Self(i32x4_splat(word))
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(i32x4_add(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn add_halves(self, other: Self) -> Self {
        Self(i16x8_add(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(v128_and(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
        Self(i32x4_shr(self.0, BITS))
    }

    #[inline(always)]
    pub(crate) fn dot(self, other: Self) -> Self {
        Self(i32x4_dot_i16x8(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn narrow(self, other: Self) -> Self {
        Self(i16x8_narrow_i32x4(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn next_words(self, before: Self) -> Self {
        Self(i32x4_shuffle::<3, 4, 5, 6>(before.0, self.0))
    }

    #[inline(always)]
    pub(crate) fn next_halves(self, before: Self) -> Self {
        Self(i16x8_shuffle::<7, 8, 9, 10, 11, 12, 13, 14>(
            before.0, self.0,
        ))
    }

    #[inline(always)]
    pub(crate) fn interleave_lower(self, other: Self) -> Self {
        Self(i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn interleave_upper(self, other: Self) -> Self {
        Self(i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(self.0, other.0))
    }
}
