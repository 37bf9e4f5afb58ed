//! The core's judgement on one token, without a host: the keys are there.

use jwt_keycloak_core::authorization::requirement::Requirement;
use jwt_keycloak_core::config::{self, Settings};
use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::jwk_set::JwkSet;
use jwt_keycloak_core::judge::{Verdict, judge};
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
        let nothing = Requirement::default();
        let keys = |_| Some(&self.keys);
        let base = &self.settings.base;
        match judge(token, &self.settings, base, &nothing, keys, self.now).verdict {
            Verdict::Permit(..) => Ok(()),
            Verdict::Waived(_) => unreachable!("a token was judged"),
            Verdict::Refuse(reason, _)
            | Verdict::NeedsKeys {
                otherwise: reason, ..
            } => Err(reason),
        }
    }

    #[must_use]
    pub fn admits(&self, token: &str) -> bool {
        self.verdict(token).is_ok()
    }
}
