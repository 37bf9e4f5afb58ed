//! The decision about one token, as far as keys and answers at hand allow.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::admission::Waiver;
use crate::authorization::Permit;
use crate::authorization::permission::AskedPermission;
use crate::authorization::requirement::Requirement;
use crate::authorization::services::{AuthorizationRules, DecidedBy, Demand, Granted};
use crate::caller::consumers::Consumer;
use crate::claims::{AccessToken, VerifiedClaims};
use crate::config::Settings;
use crate::config::issuer::Issuer;
use crate::config::policy::Policy;
use crate::config::token::IssuerRules;
use crate::inquiry::introspection::{
    self, IfUnavailable, Introspection, IntrospectionRules, Unverified, When,
};
use crate::inquiry::question::{Finding, Findings, Inquiry, Question};
use crate::jose::algorithm::{Algorithm, Family};
use crate::jose::header::Header;
use crate::jose::jwk_set::JwkSet;
use crate::jose::jws::{self, ReceivedToken};
use crate::jose::known_headers::KnownHeaders;
use crate::jose::signature::HostVerifier;
use crate::keys::cache::Need;
use crate::keys::shared::Cause;
use crate::refusal::Reason;
use crate::time::UnixMillis;
use crate::verified_tokens::VerifiedToken;

/// What the judge says.
#[derive(Debug)]
pub struct Judgement {
    /// The index of the token's issuer, if it is one of those that the policy accepts.
    pub issuer: Option<usize>,
    /// The token's, where it could be read.
    pub header: Option<Rc<Header>>,
    pub verdict: Verdict,
}

#[derive(Debug)]
pub enum Verdict {
    Permit(Permit, Option<Rc<Consumer>>),
    /// No token is asked for.
    Waived(Waiver),
    /// With the token, if it is a good one that is not enough.
    Refuse(Reason, Option<AccessToken>),
    /// It takes keys that are not there. If they do not come, `otherwise` is the answer.
    NeedsKeys {
        /// The issuer's index.
        issuer: usize,
        need: Need,
        otherwise: Reason,
    },
    /// It takes an answer of the issuer's.
    Asks(Box<Inquiry>),
}

/// All that a token is judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub settings: &'a Settings,
    pub policy: &'a Policy,
    /// What the request's rule requires besides.
    pub rule: &'a Requirement,
    /// What is asked about the request, by these rules.
    pub demand: Option<(&'a Demand, &'a AuthorizationRules)>,
    /// Keys that were fetched, by issuer.
    pub keys: &'a dyn Fn(usize) -> Option<&'a JwkSet>,
    /// Issuers of which no more keys will come, and why.
    pub keys_ended: &'a [(usize, Reason)],
    /// What the token's issuer said.
    pub findings: &'a Findings,
    /// The token, if it is known already: its signature need not be checked.
    pub known: Option<&'a VerifiedToken>,
    /// Of tokens that were verified before.
    pub known_headers: &'a KnownHeaders,
    /// Who checks signatures faster.
    pub host_verifier: Option<&'a dyn HostVerifier>,
    pub now: UnixMillis,
}

/// What introspection says of a token.
enum Told<'a> {
    Active(&'a Introspection),
    Inactive,
    /// The issuer does not answer.
    Unavailable,
    /// It was not asked, or its answer is of no use.
    Unusable,
}

impl Judge<'_> {
    /// Judges a token.
    ///
    /// The steps and their order are those of the specifications: the JWS (RFC 7515, 5.2), the claims
    /// (RFC 7519, 7.2; RFC 9068, 4), then what is required. A token that cannot be judged here is
    /// shown to its issuer (RFC 7662); what that says is judged as a token's own claims are.
    #[must_use]
    pub fn judge(&self, token: &str) -> Judgement {
        let mut issuer = None;
        let mut header = None;
        let verdict = if let Some(known) = self.known(token) {
            issuer = Some(known.issuer);
            header = Some(Rc::clone(&known.header));
            self.jwt(known.issuer, false, || Ok(known.claims.clone()))
        } else {
            let most = self.policy.max_token_bytes;
            match ReceivedToken::parse(token, most, self.known_headers) {
                Ok(received) => {
                    header = Some(Rc::clone(&received.header));
                    self.received(token, received, &mut issuer)
                }
                Err(Reason::MalformedToken) => self.opaque(token, &mut issuer),
                Err(reason) => Err(reason.into()),
            }
        };
        let verdict = verdict.and_then(|token| self.permit(token, issuer));
        Judgement {
            issuer,
            header,
            verdict: verdict.unwrap_or_else(|stop| stop),
        }
    }

    /// The token as it is known, if this policy would have it verified at all.
    fn known(&self, token: &str) -> Option<&VerifiedToken> {
        let known = self
            .known
            .filter(|_| token.len() <= self.policy.max_token_bytes)?;
        let (_, rules) = self.of(known.issuer).ok()?;
        rules.algorithms.contains(&known.alg).then_some(known)
    }

    fn received(
        &self,
        text: &str,
        token: ReceivedToken<'_>,
        known: &mut Option<usize>,
    ) -> Result<AccessToken, Verdict> {
        let issuer = self.accepted(&token)?;
        *known = Some(issuer);
        let (own, _) = self.of(issuer)?;
        let is_secrets = |alg: Algorithm| alg.family() == Family::Hmac;
        let is_unknown_secret =
            !own.has_secrets && Algorithm::by_name(&token.header.alg).is_some_and(is_secrets);
        self.jwt(issuer, is_unknown_secret, || {
            self.findings.verified(|| self.verify(text, token, issuer))
        })
    }

    fn jwt(
        &self,
        issuer: usize,
        is_unknown_secret: bool,
        verify: impl FnOnce() -> Result<VerifiedClaims, Verdict>,
    ) -> Result<AccessToken, Verdict> {
        let (_, rules) = self.of(issuer)?;
        let Some(asking) = &rules.introspection else {
            let verified = verify()?;
            return Ok(verified.check(&rules.claims, self.now)?);
        };
        if asking.when == When::Always {
            return match self.introspect(issuer, asking)? {
                Told::Unavailable if asking.if_unavailable == IfUnavailable::Local => {
                    let verified = verify()?;
                    Ok(verified.check(&rules.claims, self.now)?)
                }
                told => self.told(&told, issuer, None),
            };
        }
        let verified = match verify() {
            Ok(verified) => verified,
            Err(verdict) => {
                let is_beyond_us = match verdict {
                    Verdict::Refuse(Reason::UnknownKey | Reason::KeysUnavailable, _) => true,
                    Verdict::Refuse(Reason::AlgorithmNotAllowed, _) => is_unknown_secret,
                    _ => false,
                };
                if asking.when != When::Needed || !is_beyond_us {
                    return Err(verdict);
                }
                let told = self.introspect(issuer, asking)?;
                return self.told(&told, issuer, None);
            }
        };
        if asking.when == When::Needed && !verified.is_lightweight() {
            return Ok(verified.check(&rules.claims, self.now)?);
        }
        // Nobody need be asked about a token that has ended, or is for others.
        verified.check_in_force(&rules.claims, self.now)?;
        if !verified.is_lightweight() {
            verified.check_audience(&rules.claims)?;
        }
        match self.introspect(issuer, asking)? {
            Told::Unavailable if asking.if_unavailable == IfUnavailable::Local => {
                Ok(verified.check(&rules.claims, self.now)?)
            }
            told => self.told(&told, issuer, Some(&verified)),
        }
    }

    /// A token that is no JWT: whose it is, only its issuer knows.
    fn opaque(&self, token: &str, known: &mut Option<usize>) -> Result<AccessToken, Verdict> {
        if !jws::may_be_opaque(token) {
            return Err(Reason::MalformedToken.into());
        }
        let asking = |rules: &'_ IssuerRules| {
            let asking = rules.introspection.as_ref();
            asking.is_some_and(|asking| asking.opaque_tokens)
        };
        let issuers = self.policy.issuers.iter().enumerate();
        let issuers = issuers.filter_map(|(issuer, rules)| Some((issuer, rules.as_ref()?)));
        let mut otherwise = Reason::MalformedToken;
        for (issuer, rules) in issuers.filter(|(_, rules)| asking(rules)) {
            let Some(asking) = &rules.introspection else {
                continue;
            };
            let (own, _) = self.of(issuer)?;
            if self.settings.blocked.contains(&own.iss) {
                continue;
            }
            *known = Some(issuer);
            match self.introspect(issuer, asking)? {
                Told::Inactive if otherwise == Reason::IntrospectionUnavailable => {}
                Told::Inactive => otherwise = Reason::TokenInactive,
                Told::Unavailable | Told::Unusable => {
                    otherwise = Reason::IntrospectionUnavailable;
                }
                told @ Told::Active(_) => return self.told(&told, issuer, None),
            }
        }
        Err(otherwise.into())
    }

    fn introspect(&self, issuer: usize, asking: &IntrospectionRules) -> Result<Told<'_>, Verdict> {
        let question = Question::Introspection {
            issuer,
            response: asking.response,
        };
        match self.findings.of(&question) {
            None => Err(Verdict::Asks(Box::new(Inquiry {
                question,
                max_age: asking.max_age,
                negative_max_age: asking.negative_max_age,
            }))),
            Some(Finding::Active(introspection)) => Ok(Told::Active(introspection)),
            Some(Finding::Inactive) => Ok(Told::Inactive),
            Some(Finding::Unavailable) => Ok(Told::Unavailable),
            Some(_) => Ok(Told::Unusable),
        }
    }

    /// What an issuer said of a token goes through the same checks as a token's own claims. `own_claims`
    /// are those, where they were verified.
    fn told(
        &self,
        told: &Told<'_>,
        issuer: usize,
        own_claims: Option<&VerifiedClaims>,
    ) -> Result<AccessToken, Verdict> {
        let (own, rules) = self.of(issuer)?;
        let introspection = match told {
            Told::Active(introspection) => introspection,
            Told::Inactive => return Err(Reason::TokenInactive.into()),
            Told::Unavailable | Told::Unusable => {
                return Err(Reason::IntrospectionUnavailable.into());
            }
        };
        let verified = introspection.claims(&rules.algorithms, |unverified| {
            self.verify_answer(unverified, issuer)
        })?;
        // RFC 7662, 2.2: `iss` is optional.
        if verified.issuer().is_some_and(|iss| !iss.is(&own.iss)) {
            return Err(Reason::IssuerNotAllowed.into());
        }
        let verified = match own_claims {
            Some(own) if !own.is_token_of(&verified) => {
                return Err(Reason::IntrospectionUnavailable.into());
            }
            Some(own) => own.beside(verified),
            None => verified,
        };
        Ok(verified.check(&rules.claims, self.now)?)
    }

    /// A signature in an answer is the issuer's, or the answer cannot be used.
    fn verify_answer(
        &self,
        unverified: Unverified<'_>,
        issuer: usize,
    ) -> Result<(Algorithm, Map<String, Value>), Verdict> {
        let of_no_use = || Verdict::from(Reason::IntrospectionUnavailable);
        let (own, _) = self.of(issuer)?;
        let (Unverified::AccessToken { text, .. } | Unverified::Response(text)) = unverified;
        let token = ReceivedToken::parse(text, introspection::MAX_BYTES, self.known_headers)
            .map_err(|_| of_no_use())?;
        let is_right = match unverified {
            Unverified::AccessToken { .. } => token.header.may_be_access_token(),
            Unverified::Response(_) => token.header.is_introspection_response(),
        } && token.issuer().is_some_and(|iss| *iss == own.iss);
        if !is_right {
            return Err(of_no_use());
        }
        let alg = Algorithm::by_name(&token.header.alg).ok_or_else(of_no_use)?;
        let verified = self
            .verify(text, token, issuer)
            .map_err(|verdict| match verdict {
                Verdict::NeedsKeys { issuer, need, .. } => Verdict::NeedsKeys {
                    issuer,
                    need,
                    otherwise: Reason::IntrospectionUnavailable,
                },
                _ => of_no_use(),
            })?;
        let claims = verified.claims.to_map();
        match (unverified, &own.client) {
            // It must be about the token that the rest of the answer is about.
            (Unverified::AccessToken { jti, .. }, _) => match jti {
                Some(jti) if claims.get("jti") != Some(jti) => Err(of_no_use()),
                _ => Ok((alg, claims)),
            },
            (Unverified::Response(_), Some(client)) => {
                let claims = introspection::of_response(claims, &own.iss, &client.id);
                Ok((alg, claims.ok_or_else(of_no_use)?))
            }
            (Unverified::Response(_), None) => Err(of_no_use()),
        }
    }

    /// RFC 7519, 4.1.1; RFC 8725, 3.8: exactly one of the issuers that the policy knows. Only they
    /// are ever asked for keys; a token cannot name an address.
    fn accepted(&self, token: &ReceivedToken<'_>) -> Result<usize, Reason> {
        // RFC 8725, 3.11: explicit typing; RFC 9068, 4.
        if !token.header.may_be_access_token() {
            return Err(Reason::WrongHeaderType);
        }
        let iss = token.issuer().ok_or(Reason::IssuerNotAllowed)?;
        let settings = self.settings;
        if settings.blocked.iter().any(|blocked| *blocked == iss) {
            return Err(Reason::IssuerBlocked);
        }
        settings
            .issuers
            .iter()
            .position(|issuer| issuer.iss == iss)
            .filter(|issuer| self.policy.rules_of(*issuer).is_some())
            .ok_or(Reason::IssuerNotAllowed)
    }

    /// RFC 7515, 5.2 step 8, with the issuer's configured keys and those that were fetched.
    fn verify(
        &self,
        text: &str,
        token: ReceivedToken<'_>,
        issuer: usize,
    ) -> Result<VerifiedToken, Verdict> {
        let (own, rules) = self.of(issuer)?;
        // RFC 8725, 3.1 and 3.2: the algorithm is ours to choose; the token's is compared with it.
        let alg = Algorithm::by_name(&token.header.alg)
            .filter(|alg| rules.algorithms.contains(alg))
            .ok_or(Reason::AlgorithmNotAllowed)?;
        let configured = own.keys.configured(&token.header, alg, self.now);
        let ended = self.keys_ended.iter().find(|(of, _)| *of == issuer);
        let needs = |need, otherwise| match ended {
            None => Verdict::NeedsKeys {
                issuer,
                need,
                otherwise,
            },
            Some((_, why)) => Verdict::from(*why),
        };
        // What is wrong if none of the keys made the signature. Keys may have been added or, by issuers
        // other than Keycloak, replaced under the same `kid` since the set was fetched.
        let (fetched, otherwise) = match (&own.source, (self.keys)(issuer)) {
            (None, _) => {
                let reason = configured.as_ref().err().copied();
                let reason = reason.unwrap_or(Reason::InvalidSignature);
                (Vec::new(), Verdict::from(reason))
            }
            (Some(_), None) => (Vec::new(), needs(Need::Keys, Reason::KeysUnavailable)),
            (Some(_), Some(set)) => match set.select(&token.header, alg, self.now) {
                Err(reason @ (Reason::AmbiguousKey | Reason::KeyNotValid)) => {
                    (Vec::new(), Verdict::from(reason))
                }
                Err(reason @ Reason::UnknownKey) => (
                    Vec::new(),
                    needs(Need::NewerKeys(Cause::UnknownKey), reason),
                ),
                selected => {
                    let need = Need::NewerKeys(Cause::BadSignature);
                    let keys = selected.unwrap_or_default();
                    (keys, needs(need, Reason::InvalidSignature))
                }
            },
        };
        let mut keys = configured.unwrap_or_default();
        keys.extend(fetched);
        let (header, header_text) = (Rc::clone(&token.header), token.header_text());
        let (claims, key) =
            VerifiedClaims::open(token, alg, &keys, self.host_verifier).map_err(|_| otherwise)?;
        self.known_headers.keep(header_text, &header);
        Ok(VerifiedToken::new(text, issuer, (alg, header), key, claims))
    }

    /// Whether a good token is enough: its caller must be known, where that is asked for, the
    /// policy, its rule and the issuer must have what they require, and Keycloak must grant what is
    /// demanded.
    fn permit(&self, token: AccessToken, issuer: Option<usize>) -> Result<Verdict, Verdict> {
        let index = issuer.ok_or(Reason::IssuerNotAllowed)?;
        let (issuer, rules) = self.of(index)?;
        let consumer = match &self.policy.caller.matching {
            None => None,
            Some(matching) => match matching.identify(token.claims(), &self.settings.consumers) {
                Ok(consumer) => consumer,
                Err(reason) => return Err(Verdict::Refuse(reason, Some(token))),
            },
        };
        let requirements = [&self.policy.requirement, self.rule, &issuer.requirement];
        let ask = |token: &AccessToken| {
            let demand = self.demand.map(|(demand, _)| demand);
            Granted::all(demand, |asked| self.is_granted(asked, token, index))
        };
        match Permit::grant(token, &rules.shape, requirements, ask) {
            Ok(permit) => Ok(Verdict::Permit(permit, consumer)),
            Err((Verdict::Refuse(reason, _), token)) => Err(Verdict::Refuse(reason, Some(token))),
            Err((verdict, _)) => Err(verdict),
        }
    }

    /// Whether a token's owner has a permission, by the token or by Keycloak's word.
    fn is_granted(
        &self,
        asked: &AskedPermission,
        token: &AccessToken,
        issuer: usize,
    ) -> Result<(), Verdict> {
        let Some((demand, rules)) = self.demand else {
            return Ok(());
        };
        let (own, issuer_rules) = self.of(issuer)?;
        let server = rules.resource_server.as_deref();
        let audiences = &issuer_rules.shape.permission_audiences;
        let is_in_token =
            || !asked.by_uri && asked.permission.is_granted_by(token, audiences, server);
        match rules.decision {
            DecidedBy::Rpt if is_in_token() => return Ok(()),
            DecidedBy::Rpt => return Err(Reason::MissingPermission.into()),
            DecidedBy::RptOrRemote if is_in_token() => return Ok(()),
            DecidedBy::RptOrRemote | DecidedBy::Remote => {}
        }
        let client = own.client.as_ref().map(|client| &client.id);
        let server = rules.resource_server.as_ref().or(client);
        let question = Question::Decision {
            issuer,
            resource_server: server
                .ok_or(Reason::AuthorizationUnavailable)?
                .as_str()
                .into(),
            asked: asked.clone(),
            claims: demand.claims.clone(),
        };
        Err(match self.findings.of(&question) {
            Some(Finding::Granted) => return Ok(()),
            Some(Finding::Denied) => Reason::PermissionDenied.into(),
            Some(Finding::Inactive) => Reason::TokenInactive.into(),
            Some(_) => Reason::AuthorizationUnavailable.into(),
            None => Verdict::Asks(Box::new(Inquiry {
                question,
                max_age: rules.max_age,
                negative_max_age: rules.negative_max_age,
            })),
        })
    }

    fn of(&self, issuer: usize) -> Result<(&Issuer, &IssuerRules), Reason> {
        let known = self.settings.accepted(self.policy, issuer);
        known.ok_or(Reason::IssuerNotAllowed)
    }
}

impl Judgement {
    /// About a request whose credentials cannot be read, or are not looked at.
    #[must_use]
    pub fn without_token(reason: Reason) -> Self {
        Self::of(Verdict::from(reason))
    }

    /// About a request that passes without a token.
    #[must_use]
    pub fn waived(waiver: Waiver) -> Self {
        Self::of(Verdict::Waived(waiver))
    }

    fn of(verdict: Verdict) -> Self {
        Self {
            issuer: None,
            header: None,
            verdict,
        }
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self::Refuse(reason, None)
    }
}
