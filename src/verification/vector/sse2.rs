//! SSE2. `portable` tells what each operation is.

use core::arch::x86_64::{
    __m128i, _mm_add_epi16, _mm_add_epi32, _mm_and_si128, _mm_cvtsi32_si128, _mm_madd_epi16,
    _mm_or_si128, _mm_packs_epi32, _mm_set1_epi32, _mm_slli_si128, _mm_sra_epi32, _mm_srli_si128,
    _mm_unpackhi_epi16, _mm_unpacklo_epi16,
};

/// Calls an instruction of SSE2.
macro_rules! sse2 {
    ($call:expr) => {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe { $call }
    };
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector(__m128i);

impl Vector {
    #[inline(always)]
    pub(crate) fn load(words: [i32; 4]) -> Self {
        // SAFETY: both are 16 bytes, of which any are valid.
        Self(unsafe { core::mem::transmute::<[i32; 4], __m128i>(words) })
    }

    #[inline(always)]
    pub(crate) fn store(self) -> [i32; 4] {
        // SAFETY: both are 16 bytes, of which any are valid.
        unsafe { core::mem::transmute::<__m128i, [i32; 4]>(self.0) }
    }

    #[inline(always)]
    pub(crate) fn splat(word: i32) -> Self {
        Self(sse2!(_mm_set1_epi32(word)))
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(sse2!(_mm_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    pub(crate) fn add_halves(self, other: Self) -> Self {
        Self(sse2!(_mm_add_epi16(self.0, other.0)))
    }

    #[inline(always)]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(sse2!(_mm_and_si128(self.0, other.0)))
    }

    #[inline(always)]
    pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
        Self(sse2!(_mm_sra_epi32(self.0, _mm_cvtsi32_si128(BITS as i32))))
    }

    #[inline(always)]
    pub(crate) fn dot(self, other: Self) -> Self {
        Self(sse2!(_mm_madd_epi16(self.0, other.0)))
    }

    #[inline(always)]
    pub(crate) fn narrow(self, other: Self) -> Self {
        Self(sse2!(_mm_packs_epi32(self.0, other.0)))
    }

    #[inline(always)]
    pub(crate) fn next_words(self, before: Self) -> Self {
        Self(sse2!(_mm_or_si128(
            _mm_slli_si128::<4>(self.0),
            _mm_srli_si128::<12>(before.0),
        )))
    }

    #[inline(always)]
    pub(crate) fn next_halves(self, before: Self) -> Self {
        Self(sse2!(_mm_or_si128(
            _mm_slli_si128::<2>(self.0),
            _mm_srli_si128::<14>(before.0),
        )))
    }

    #[inline(always)]
    pub(crate) fn interleave_lower(self, other: Self) -> Self {
        Self(sse2!(_mm_unpacklo_epi16(self.0, other.0)))
    }

    #[inline(always)]
    pub(crate) fn interleave_upper(self, other: Self) -> Self {
        Self(sse2!(_mm_unpackhi_epi16(self.0, other.0)))
    }
}
