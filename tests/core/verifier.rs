//! The core's judgement on one token, without a host: the keys are there.

use std::rc::Rc;

use jwt_keycloak_core::abilities::Abilities;
use jwt_keycloak_core::authorization::requirement::Requirement;
use jwt_keycloak_core::config::{self, Settings};
use jwt_keycloak_core::inquiry::question::Findings;
use jwt_keycloak_core::jose::algorithm::{Algorithm, Family};
use jwt_keycloak_core::jose::jwk_set::JwkSet;
use jwt_keycloak_core::jose::key::VerificationKey;
use jwt_keycloak_core::jose::known_headers::KnownHeaders;
use jwt_keycloak_core::jose::signature::HostVerifier;
use jwt_keycloak_core::judge::{Judge, Judgement, Verdict};
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::UnixMillis;
use serde_json::{Value, json};

use crate::keys::{Secret, TestKey};
use crate::tokens::{AUDIENCE, ISSUER, START};

pub struct Verifier {
    settings: Settings,
    keys: JwkSet,
    now: UnixMillis,
    host: Option<Rc<dyn HostVerifier>>,
}

impl Verifier {
    /// Accepts access tokens of [`ISSUER`] for [`AUDIENCE`] by every algorithm that has public keys,
    /// with these keys.
    #[must_use]
    pub fn with_keys(keys: &[Value]) -> Self {
        Self::of(&every_public_algorithm(), keys)
    }

    #[must_use]
    pub fn of(configuration: &Value, keys: &[Value]) -> Self {
        let keys = json!({ "keys": keys }).to_string();
        let (keys, _) = JwkSet::parse(keys.as_bytes()).unwrap();
        Self {
            settings: settings(configuration),
            keys,
            now: START,
            host: None,
        }
    }

    /// Accepts access tokens by every algorithm, with this key: a secret is configured.
    #[must_use]
    pub fn with_key(key: &TestKey) -> Self {
        match key.secret {
            Secret::Hmac(secret) => {
                let kid = Some(key.kid.to_owned());
                let key = VerificationKey::from_secret(secret.to_vec(), kid, None);
                Self::with_configured_keys(vec![key.unwrap()])
            }
            _ => Self::with_keys(&[key.jwk()]).allowing_hmacs(),
        }
    }

    /// Accepts access tokens by every algorithm, with keys that were configured.
    #[must_use]
    pub fn with_configured_keys(keys: Vec<VerificationKey>) -> Self {
        let verifier = Self {
            settings: settings(&every_public_algorithm()),
            keys: JwkSet::of(keys),
            now: START,
            host: None,
        };
        verifier.allowing_hmacs()
    }

    /// The same, and HMACs, which no configuration allows without a secret.
    #[must_use]
    pub fn allowing_hmacs(mut self) -> Self {
        for rules in self.settings.base.issuers.iter_mut().flatten() {
            rules.algorithms = Algorithm::ALL.to_vec();
        }
        self
    }

    /// The same on a host that checks signatures.
    #[must_use]
    pub fn on_host(mut self, host: Rc<dyn HostVerifier>) -> Self {
        self.host = Some(host);
        self
    }

    #[must_use]
    pub fn at(mut self, now: UnixMillis) -> Self {
        self.now = now;
        self
    }

    /// # Errors
    /// The reason to refuse the token; when newer keys might help, the one that holds if they do
    /// not come.
    pub fn verdict(&self, token: &str) -> Result<(), Reason> {
        match self.judgement(token).verdict {
            Verdict::Permit(..) => Ok(()),
            Verdict::Waived(_) => unreachable!("a token was judged"),
            Verdict::Asks(_) => unreachable!("nobody is asked"),
            Verdict::Refuse(reason, _)
            | Verdict::NeedsKeys {
                otherwise: reason, ..
            } => Err(reason),
        }
    }

    #[must_use]
    pub fn judgement(&self, token: &str) -> Judgement {
        let nothing = Requirement::default();
        let judge = Judge {
            settings: &self.settings,
            policy: &self.settings.base,
            rule: &nothing,
            demand: None,
            keys: &|_| Some(&self.keys),
            keys_ended: &[],
            findings: &Findings::default(),
            known: None,
            known_headers: &KnownHeaders::default(),
            host_verifier: self.host.as_deref(),
            now: self.now,
        };
        judge.judge(token)
    }

    #[must_use]
    pub fn admits(&self, token: &str) -> bool {
        self.verdict(token).is_ok()
    }
}

fn settings(configuration: &Value) -> Settings {
    let loaded = config::load(configuration.to_string().as_bytes(), Abilities::ALL);
    loaded.unwrap().settings
}

fn every_public_algorithm() -> Value {
    let public = |alg: &Algorithm| alg.family() != Family::Hmac;
    let algorithms = Algorithm::ALL.into_iter().filter(public);
    json!({
        "allowed_iss": [ISSUER],
        "allowed_aud": [AUDIENCE],
        "allowed_alg": algorithms.map(Algorithm::name).collect::<Vec<_>>(),
        "max_token_size": 65_536,
    })
}
