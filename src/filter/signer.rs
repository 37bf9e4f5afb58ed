//! What is signed with: the host's signatures (Envoy's foreign function `sign`, which is BoringSSL's)
//! and its randomness.

use jwt_keycloak_core::jose::signing_key::{HostSigner, NoHostSigner};
use prost::encoding::{DecodeContext, WireType, bytes, decode_key, skip_field, string};

use crate::abi;
use crate::host::Host;

/// What the host signs with.
pub fn signer(host: Host) -> &'static dyn HostSigner {
    if host.abilities.signs {
        &ForeignFunction
    } else {
        // To ask is a trap on WasmX.
        &NoHostSigner
    }
}

/// What the host has that comes only once. It need not be secret: WasmX's can be predicted.
pub fn entropy() -> Option<Vec<u8>> {
    Some(abi::random().ok()?.to_vec())
}

/// The same with what is the active request's own. Where none is active, to ask for that ends WasmX's
/// worker.
pub fn request_entropy(host: Host) -> Option<Vec<u8>> {
    let mut entropy = entropy()?;
    if let Some(name) = host.request_id {
        entropy.extend(abi::property(&name).ok().flatten().unwrap_or_default());
    }
    Some(entropy)
}

struct ForeignFunction;

impl HostSigner for ForeignFunction {
    fn sign(&self, hash: &'static str, private_key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        let answer = abi::foreign_function("sign", &arguments(hash, private_key, message));
        signature(&answer.ok()?)
    }
}

/// Envoy's message `SignArguments`.
fn arguments(hash: &str, private_key: &[u8], message: &[u8]) -> Vec<u8> {
    const HASH_FUNCTION: u32 = 1;
    const PRIVATE_KEY: u32 = 2;
    const TEXT: u32 = 3;
    let mut arguments = Vec::new();
    string::encode(HASH_FUNCTION, &hash.to_owned(), &mut arguments);
    bytes::encode(PRIVATE_KEY, &private_key.to_vec(), &mut arguments);
    bytes::encode(TEXT, &message.to_vec(), &mut arguments);
    arguments
}

/// Of Envoy's message `SignResult`: its signature, if there is one.
fn signature(mut result: &[u8]) -> Option<Vec<u8>> {
    const SIGNATURE: u32 = 2;
    let mut signature = Vec::new();
    while !result.is_empty() {
        let context = DecodeContext::default();
        match decode_key(&mut result).ok()? {
            (SIGNATURE, WireType::LengthDelimited) => {
                bytes::merge(
                    WireType::LengthDelimited,
                    &mut signature,
                    &mut result,
                    context,
                )
                .ok()?;
            }
            (other, kind) => skip_field(kind, other, &mut result, context).ok()?,
        }
    }
    (!signature.is_empty()).then_some(signature)
}
