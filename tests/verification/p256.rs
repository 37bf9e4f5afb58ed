//! P-256: made-up inputs, and what other implementations say of them.
