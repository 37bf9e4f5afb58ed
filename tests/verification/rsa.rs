//! RSA: made-up inputs, and what other implementations say of them.
