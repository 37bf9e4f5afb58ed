//! How far a request is, and what is done to it at the host.

use std::cell::Cell;

use jwt_keycloak_core::refusal::{Answers, Detail, Reason, Refusal};
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
    let answers = Answers {
        realm: NO_REALM.to_owned(),
        detail: Detail::Full,
    };
    reply(phase, &Refusal::new(reason, answers), true);
}

/// Answers the effective context's request.
pub fn reply(phase: &Cell<Phase>, refusal: &Refusal, speaks_grpc: bool) {
    phase.set(Phase::Refused);
    let mut response = refusal.response();
    if let Some(status) = response.grpc_status.filter(|_| !speaks_grpc) {
        // gRPC over HTTP/2, "Responses": Trailers-Only.
        response.status = 200;
        response
            .headers
            .push(("content-type", "application/grpc".to_owned()));
        response.headers.push(("grpc-status", status.to_string()));
        response
            .headers
            .push(("grpc-message", std::mem::take(&mut response.body)));
    }
    let headers: Vec<_> = response
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let body = response.body.as_bytes();
    let grpc_status = response.grpc_status.filter(|_| speaks_grpc);
    let details = &response.details;
    if let Err(error) = abi::send_response(response.status, &headers, body, details, grpc_status) {
        log::error!("a refusal cannot be sent: {error:?}");
    }
}
