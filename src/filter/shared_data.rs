//! Data that the host shares among a gateway's workers.

use jwt_keycloak_core::keys::shared::SharedData;

use crate::abi;

/// Shared data of the host. It is used for key sets and turns, and nothing depends on it.
pub struct HostSharedData;

impl SharedData for HostSharedData {
    fn get(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        abi::shared_data(name).ok().flatten()
    }

    fn set(&mut self, name: &str, value: &[u8], version: Option<u32>) -> bool {
        abi::set_shared_data(name, value, version.unwrap_or(0)).is_ok()
    }
}
