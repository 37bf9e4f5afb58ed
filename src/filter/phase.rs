//! How far a request is, and what is done to it at the host.

use std::cell::Cell;

use jwt_keycloak_core::gate::Decision;
use jwt_keycloak_core::refusal::{Reason, Refusal};
use proxy_wasm::types::Action;

use crate::abi;

/// The realm in answers of a filter without a usable configuration.
const NO_REALM: &str = "keycloak";

/// How far a request is. Callbacks for its body and trailers answer from this, so that nothing of
/// it passes before the decision: to Envoy `Continue` there would mean the headers, too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Undecided,
    Forwarded,
    Refused,
}

impl Phase {
    pub fn action(self) -> Action {
        match self {
            Self::Forwarded => Action::Continue,
            Self::Undecided | Self::Refused => Action::Pause,
        }
    }
}

/// Refuses the effective context's request without a gate's say.
pub fn refuse(phase: &Cell<Phase>, reason: Reason) {
    decide(phase, &Decision::Reply(Refusal::new(reason, NO_REALM)));
}

/// Applies a decision to the effective context's request.
pub fn decide(phase: &Cell<Phase>, decision: &Decision) {
    match decision {
        Decision::Forward(_) => phase.set(Phase::Forwarded),
        Decision::Reply(refusal) => {
            phase.set(Phase::Refused);
            let response = refusal.response();
            log::debug!("refused: {}", refusal.reason.row().label);
            let headers: Vec<_> = response
                .headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let body = response.body.as_bytes();
            let sent = abi::send_response(response.status, &headers, body, &response.details);
            if let Err(error) = sent {
                log::error!("a refusal cannot be sent: {error:?}");
            }
        }
    }
}
