//! Who checks RS* signatures: the host, by Envoy's foreign function `verify_signature`, which is
//! BoringSSL's. Where it does not say whether one is good, the core checks it.

use std::cell::Cell;

use jwt_keycloak_core::jose::signature::HostVerifier;

use crate::abi;
use crate::host::Host;
use crate::verify_signature::{arguments, verdict};

/// A host that so often did not say whether a signature is good is not asked again.
const CHANCES: u8 = 3;

/// What the host checks signatures with.
pub fn verifier(host: Host) -> Option<Box<dyn HostVerifier>> {
    // To ask is a trap on WasmX.
    host.verifies_rsa.then(|| {
        let chances = Cell::new(CHANCES);
        Box::new(ForeignFunction { chances }) as Box<dyn HostVerifier>
    })
}

#[derive(Debug)]
struct ForeignFunction {
    chances: Cell<u8>,
}

impl HostVerifier for ForeignFunction {
    fn verifies(
        &self,
        hash: &'static str,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let left = self.chances.get().checked_sub(1)?;
        let arguments = arguments(hash, public_key, signature, message);
        let answer = abi::foreign_function("verify_signature", &arguments);
        let verdict = answer.as_deref().ok().and_then(verdict);
        if verdict.is_none() && self.chances.replace(left) == CHANCES {
            let what = answer.map(|answer| format!("{} bytes", answer.len()));
            log::warn!(
                "the host does not check signatures as Envoy does ({what:?}): they are checked here"
            );
        }
        verdict
    }
}
