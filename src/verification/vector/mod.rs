//! Vectors of 128 bits: the few operations that the arithmetic needs, each of which is one or two
//! instructions of WebAssembly's SIMD and of SSE2, which every x86-64 processor has. Elsewhere there
//! is a portable one, which gives the same answers and is not fast.

#[cfg(any(
    test,
    not(any(
        target_arch = "x86_64",
        all(target_arch = "wasm32", target_feature = "simd128")
    ))
))]
mod portable;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
pub(crate) use portable::Vector;
#[cfg(target_arch = "x86_64")]
pub(crate) use sse2::Vector;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use wasm::Vector;

#[cfg(test)]
mod tests;
