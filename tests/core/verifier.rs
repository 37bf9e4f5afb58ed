//! The core's judgement on one token, without a host: the keys are there.

use jwt_keycloak_core::config::{self, Settings};
use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::jwk_set::JwkSet;
use jwt_keycloak_core::judge::{Judgement, judge};
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::UnixMillis;
use serde_json::{Value, json};

use crate::tokens::{AUDIENCE, ISSUER, START};

pub struct Verifier {
    settings: Settings,
    keys: JwkSet,
    now: UnixMillis,
}

impl Verifier {
    /// Accepts access tokens of [`ISSUER`] for [`AUDIENCE`] by every algorithm, with these keys.
    #[must_use]
    pub fn with_keys(keys: &[Value]) -> Self {
        let algorithms: Vec<_> = Algorithm::ALL.iter().map(|alg| alg.name()).collect();
        Self::of(
            &json!({
                "allowed_iss": [ISSUER],
                "allowed_aud": [AUDIENCE],
                "allowed_alg": algorithms,
                "max_token_size": 65_536,
            }),
            keys,
        )
    }

    #[must_use]
    pub fn of(configuration: &Value, keys: &[Value]) -> Self {
        let settings = config::load(configuration.to_string().as_bytes())
            .unwrap()
            .settings;
        let keys = json!({ "keys": keys }).to_string();
        let (keys, _) = JwkSet::parse(keys.as_bytes()).unwrap();
        Self {
            settings,
            keys,
            now: START,
        }
    }

    /// # Errors
    /// The reason to refuse the token; when newer keys might help, the one that holds if they do
    /// not come.
    pub fn verdict(&self, token: &str) -> Result<(), Reason> {
        let credentials = [format!("Bearer {token}").into_bytes()];
        let Settings { base, issuers, .. } = &self.settings;
        match judge(&credentials, base, issuers, |_| Some(&self.keys), self.now) {
            Judgement::Permit(_) => Ok(()),
            Judgement::Refuse(reason)
            | Judgement::NeedsKeys {
                otherwise: reason, ..
            } => Err(reason),
        }
    }

    #[must_use]
    pub fn admits(&self, token: &str) -> bool {
        self.verdict(token).is_ok()
    }
}
