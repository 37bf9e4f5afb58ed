//! Reads `introspection`: which tokens are shown to their issuer (RFC 7662), and for how long its
//! word counts. It may stand in the policy, in the issuer and at the top; each of its fields counts
//! where it stands uppermost.

use super::issuer::Issuer;
use super::policy::UpstreamToken;
use super::reader::{Members, join, quote};
use super::token::IssuerRules;
use crate::inquiry::introspection::{IfUnavailable, IntrospectionRules, ResponseKind, When};
use crate::time::Millis;

/// How long a token counts that is shown because it cannot be judged here. Where each is shown, it is
/// shown to know at once when it ends.
const MAX_AGE: Millis = Millis::from_secs(60);
const NEGATIVE_MAX_AGE: Millis = Millis::from_secs(10);

/// Reads it; `None` if tokens are not shown.
#[must_use]
pub fn read(members: &Members) -> Option<IntrospectionRules> {
    let own = members.layered_object("introspection")?;
    let when = own.choice(
        "when",
        &[
            ("needed", When::Needed),
            ("always", When::Always),
            ("after_local", When::AfterLocal),
        ],
    );
    let when = when.unwrap_or_default();
    let response = own.choice(
        "response",
        &[
            ("json", ResponseKind::Json),
            ("jwt", ResponseKind::Jwt),
            ("signed", ResponseKind::Signed),
        ],
    );
    let stated = own.seconds("cache_seconds", 0.0..=3600.0);
    let negative = own.seconds("negative_cache_seconds", 0.0..=300.0);
    let words = [
        ("refuse", IfUnavailable::Refuse),
        ("local", IfUnavailable::Local),
    ];
    let rules = IntrospectionRules {
        when,
        response: response.unwrap_or_default(),
        max_age: stated.unwrap_or(match when {
            When::Needed => MAX_AGE,
            When::Always | When::AfterLocal => Millis(0),
        }),
        negative_max_age: negative.unwrap_or(negative_default(stated, NEGATIVE_MAX_AGE)),
        if_unavailable: own.choice("if_unavailable", &words).unwrap_or_default(),
        opaque_tokens: own
            .boolean("opaque_tokens")
            .unwrap_or(when != When::AfterLocal),
    };
    own.finish();
    Some(rules)
}

/// Whoever wants no answer to count twice means those that refuse, too.
#[must_use]
pub fn negative_default(stated: Option<Millis>, usual: Millis) -> Millis {
    match stated {
        Some(Millis(0)) => Millis(0),
        _ => usual,
    }
}

/// Notes what cannot be of an issuer's tokens under a policy. `members` are the policy's with the
/// issuer's `own` between.
pub fn check(members: &Members, own: &Members, issuer: &Issuer, rules: &IntrospectionRules) {
    let Some(stated) = members.layered_object("introspection") else {
        return;
    };
    if issuer.client.is_none() {
        let found = format!(
            "introspection of the tokens of {}, at which the gateway has no client",
            quote(&issuer.iss)
        );
        let allowed = "a client beside this issuer; or no introspection of its tokens (false), or an \
            allowed_iss without it";
        members.findings().fault(&stated.path, found, allowed);
    }
    if issuer.endpoints.introspection.is_none() && !issuer.is_discovered() {
        let found = "no address, and introspection";
        let allowed = "the address: there is no discovery document that would have it";
        own.fault("introspection_endpoint", found, allowed);
    }
    if rules.if_unavailable == IfUnavailable::Local && rules.when == When::Needed {
        let found = "local, of tokens that cannot be judged here";
        let allowed = "refuse; or when: always or after_local";
        stated.fault("if_unavailable", found, allowed);
    }
    if issuer.has_keys() {
        return;
    }
    let keys = "the issuer's keys, which it has none of";
    if rules.when == When::AfterLocal {
        stated.fault(
            "when",
            "after_local",
            format!("needed or always; or {keys}"),
        );
    }
    if rules.response != ResponseKind::Json {
        let found = "an answer whose signature nobody can verify";
        stated.fault("response", found, format!("json; or {keys}"));
    }
    if rules.if_unavailable == IfUnavailable::Local {
        stated.fault("if_unavailable", "local", format!("refuse; or {keys}"));
    }
}

/// `upstream_token: introspected`: the answer must bring what goes up.
pub fn for_upstream(members: &Members, token: &UpstreamToken, issuers: &mut [Option<IssuerRules>]) {
    if *token != UpstreamToken::Introspected {
        return;
    }
    let rules = issuers.iter_mut().flatten();
    let mut shown: Vec<_> = rules
        .filter_map(|rules| rules.introspection.as_mut())
        .collect();
    if shown.is_empty() {
        let found = format!("introspected, and no introspection in {}", members.path);
        let allowed = "introspection there, or another upstream_token";
        members.fault("upstream_token", found, allowed);
    }
    let stated = members.layered_object("introspection");
    let response = stated.as_ref().and_then(|own| own.get("response"));
    if response.is_some_and(|response| response.value == "json") {
        let found = "introspected, and introspection with response: json";
        let allowed = "response: jwt, in which there is a token for the upstream";
        members.fault("upstream_token", found, allowed);
    }
    for rules in &mut shown {
        if rules.response == ResponseKind::Signed {
            let found = "introspected, and introspection with response: signed";
            let allowed = "response: jwt, in which there is a token for the upstream";
            members.fault("upstream_token", found, allowed);
        }
        rules.response = ResponseKind::Jwt;
    }
}

/// What an author should know of a policy.
pub fn warn(members: &Members, issuers: &[Option<IssuerRules>]) {
    let shown = || {
        let rules = issuers.iter().flatten();
        rules.filter_map(|rules| rules.introspection.as_ref())
    };
    let path = join(&members.path, "introspection");
    if shown().filter(|rules| rules.opaque_tokens).count() > 1 {
        let text = "a token that is no JWT is shown to several issuers, one after another; \
            opaque_tokens: false for those that issue none";
        members.findings().warning(&path, text);
    }
    if shown().any(|rules| rules.if_unavailable == IfUnavailable::Local) {
        let text = "if_unavailable is local: while the issuer does not answer, revoked tokens pass";
        members.findings().warning(&path, text);
    }
}
