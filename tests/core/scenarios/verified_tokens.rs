//! A token that was verified before is not verified again, and is let through only where and for as
//! long as it would be if it were.

use jwt_keycloak_core::metrics::Measure;
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::time::{Millis, UnixMillis};
use jwt_keycloak_tests::keys::{ED25519_A, P256_A, P256_B};
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation, configuration, get};
use jwt_keycloak_tests::tokens::{self, AUDIENCE, ISSUER, START, Token};
use serde_json::{Value, json};

use crate::{HOSTS, SECOND, good, seconds, warm, warm_with, with};

/// A good token with these claims beside or instead of the usual ones.
fn token_with(more: &Value) -> Token {
    let mut claims = tokens::claims(ISSUER);
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    Token {
        text: tokens::mint_with(&P256_A, "ES256", &claims),
        genuine: true,
    }
}

fn outcome(sim: &mut Simulation, token: &Token) -> Option<Reason> {
    let id = sim.request(0, token);
    sim.run_for(SECOND);
    sim.reason(id)
}

#[test]
fn it_is_verified_once() {
    for host in HOSTS {
        for (size, verified) in [(Value::Null, 1), (json!(0), 3)] {
            let mut sim = warm_with(host, 1, &with("token_cache_size", size));
            let token = good(&P256_A);
            for _ in 0..3 {
                assert_eq!(outcome(&mut sim, &token), None);
            }
            let needed_keys = |measure: &&Measure| matches!(measure, Measure::Keys { .. });
            assert_eq!(sim.measures.iter().filter(needed_keys).count(), verified);
        }
    }
}

#[test]
fn it_ends_when_it_says_so() {
    for host in HOSTS {
        for sent_again_after in [1, 60, 599] {
            let mut sim = warm(host, 1);
            let ends = START.0 / 1000 + 600;
            let mut token = token_with(&json!({"exp": ends}));
            assert_eq!(outcome(&mut sim, &token), None);
            sim.run_for(seconds(sent_again_after));
            let before = sim.now.0 / 1000 < ends;
            let expected = (!before).then_some(Reason::TokenExpired);
            assert_eq!(outcome(&mut sim, &token), expected);
            sim.run_for(UnixMillis(ends * 1000).since(sim.now));
            token.genuine = false;
            for _ in 0..3 {
                assert_eq!(outcome(&mut sim, &token), Some(Reason::TokenExpired));
                sim.run_for(seconds(40));
            }
        }
    }
}

#[test]
fn a_clock_that_is_put_back_makes_it_too_new_again() {
    let mut sim = warm(Host::Wakes, 1);
    sim.run_for(seconds(600));
    let made = sim.now.0 / 1000;
    for (claim, reason) in [
        ("nbf", Reason::TokenNotYetValid),
        ("iat", Reason::TokenIssuedInFuture),
    ] {
        let token = token_with(&json!({claim: made}));
        let id = sim.request(0, &token);
        assert!(sim.was_forwarded(id));
        let now = sim.now;
        sim.now = UnixMillis(now.0 - 300_000);
        let id = sim.request(0, &token);
        assert_eq!(sim.reason(id), Some(reason));
        sim.now = now;
    }
}

#[test]
fn a_key_that_its_issuer_withdrew_takes_it_along() {
    for host in HOSTS {
        let mut sim = warm(host, 2);
        sim.provider().keys = vec![P256_A.jwk(), ED25519_A.jwk()];
        sim.run_for(seconds(310));
        let (mut withdrawn, stays) = (good(&P256_A), good(&ED25519_A));
        for worker in [0, 1] {
            for token in [&withdrawn, &stays] {
                let id = sim.request(worker, token);
                assert!(sim.was_forwarded(id));
            }
        }
        sim.provider().keys = vec![ED25519_A.jwk(), P256_B.jwk()];
        sim.run_for(seconds(310));
        withdrawn.genuine = false;
        let keys_needed = sim.measures.len();
        for worker in [0, 1] {
            let id = sim.request(worker, &withdrawn);
            sim.run_for(SECOND);
            assert_eq!(sim.reason(id), Some(Reason::UnknownKey));
            let id = sim.request(worker, &stays);
            assert!(sim.was_forwarded(id));
        }
        let hit = Measure::Keys {
            issuer: 0,
            hit: true,
        };
        let later = &sim.measures[keys_needed..];
        assert!(
            !later.contains(&hit),
            "the other key's tokens are known still"
        );
    }
}

/// Which key a token without a `kid` is meant for is not guessed, whoever came before.
#[test]
fn one_without_a_kid_becomes_ambiguous_with_a_second_key() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        let sign = |input: &[u8]| P256_A.sign("ES256", input);
        let header = json!({"alg": "ES256", "typ": "JWT"});
        let mut token = Token {
            text: tokens::forge(&header, &tokens::claims(ISSUER), sign),
            genuine: true,
        };
        for _ in 0..2 {
            assert_eq!(outcome(&mut sim, &token), None);
        }
        sim.provider().keys.push(P256_B.jwk());
        sim.run_for(seconds(310));
        token.genuine = false;
        assert_eq!(outcome(&mut sim, &token), Some(Reason::AmbiguousKey));
    }
}

/// Keycloak does not do that; other issuers do.
#[test]
fn another_key_under_the_same_name_does_not_vouch_for_it() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        let mut token = good(&P256_A);
        assert_eq!(outcome(&mut sim, &token), None);
        let mut replaced = P256_B.jwk();
        replaced["kid"] = json!(P256_A.kid);
        sim.provider().keys = vec![replaced];
        sim.run_for(seconds(310));
        token.genuine = false;
        assert_eq!(outcome(&mut sim, &token), Some(Reason::InvalidSignature));
    }
}

#[test]
fn keys_that_have_become_too_old_do_not_vouch_for_it() {
    for host in HOSTS {
        let mut sim = warm_with(host, 1, &with("jwks_max_stale", json!(600)));
        sim.provider().behaviour = Behaviour::Unreachable;
        let token = good(&P256_A);
        sim.run_for(seconds(500));
        assert_eq!(outcome(&mut sim, &token), None);
        sim.run_for(seconds(110));
        assert_eq!(outcome(&mut sim, &token), Some(Reason::KeysUnavailable));
    }
}

#[test]
fn each_policy_and_rule_decides_for_itself() {
    let mut configuration = configuration();
    configuration["policies"] = json!({
        "readers": {"scope": ["Function1/read"]},
        "writers": {"scope": ["Function2/write"]},
        "edwards": {"allowed_alg": ["EdDSA"]},
        "others": {"allowed_aud": ["others"]},
        "short": {"max_token_size": 512},
        "rules": {"rules": [
            {"path": "/a", "scope": ["Function1/read"]},
            {"path": "/b", "scope": ["Function2/write"]},
            {"path": "/c", "access": "deny"},
        ]},
    });
    let expected = [
        (None, "/a", None),
        (Some("readers"), "/a", None),
        (Some("writers"), "/a", Some(Reason::MissingScope)),
        (Some("edwards"), "/a", Some(Reason::AlgorithmNotAllowed)),
        (Some("others"), "/a", Some(Reason::AudienceNotAllowed)),
        (Some("short"), "/a", Some(Reason::TokenTooLarge)),
        (Some("rules"), "/a", None),
        (Some("rules"), "/b", Some(Reason::MissingScope)),
        (Some("rules"), "/c", Some(Reason::AccessDenied)),
        (Some("no such"), "/a", Some(Reason::Misconfigured)),
    ];
    for host in HOSTS {
        let token = token_with(&json!({"filling": "x".repeat(400)}));
        // Whatever comes first, and whatever was decided before.
        for first in 0..expected.len() {
            let mut sim = warm_with(host, 1, &configuration);
            for round in 0..3 {
                for index in 0..expected.len() {
                    let (policy, path, reason) = expected[(first + index) % expected.len()];
                    let mut request = get(path, &token.text);
                    request.policy = policy.map(str::to_owned);
                    let id = sim.request_of(0, &request, reason.is_none());
                    sim.run_for(Millis(10));
                    assert_eq!(sim.reason(id), reason, "{policy:?} {path} in round {round}");
                }
            }
        }
    }
}

/// It is looked for by its end.
#[test]
fn another_token_with_the_same_end_is_another_token() {
    for host in HOSTS {
        for known_first in [true, false] {
            let mut sim = warm(host, 1);
            let token = good(&P256_A);
            let (_, signature) = token.text.rsplit_once('.').unwrap();
            let others = [
                token_with(&json!({"sub": "another"})).text,
                tokens::forge(
                    &tokens::header("ES256", "p-256-a"),
                    &json!({"iss": ISSUER, "exp": 9_999_999_999_i64}),
                    |_| vec![0; 64],
                ),
            ];
            if known_first {
                assert_eq!(outcome(&mut sim, &token), None);
            }
            for other in others {
                let (input, _) = other.rsplit_once('.').unwrap();
                let forged = Token {
                    text: format!("{input}.{signature}"),
                    genuine: false,
                };
                for _ in 0..2 {
                    let reason = outcome(&mut sim, &forged);
                    assert_eq!(reason, Some(Reason::InvalidSignature));
                }
            }
            assert_eq!(outcome(&mut sim, &token), None);
        }
    }
}

/// The issuer's silence lets a token through for once only.
#[test]
fn it_is_asked_about_again_where_each_is_asked_about() {
    for host in HOSTS {
        for when in ["always", "after_local"] {
            let mut configuration = configuration();
            configuration["client"] = json!({"client_id": "gateway", "client_secret": "a secret"});
            configuration["introspection"] = json!({"when": when, "if_unavailable": "local"});
            let mut sim = warm_with(host, 1, &configuration);
            let token = good(&P256_A);
            sim.provider().behaviour = Behaviour::Status(500);
            assert_eq!(outcome(&mut sim, &token), None, "{when}");
            assert_eq!(outcome(&mut sim, &token), None, "{when}");
            sim.provider().behaviour = Behaviour::Answers;
            sim.run_for(seconds(60));
            // It knows nothing of it: revoked.
            let mut revoked = token;
            revoked.genuine = false;
            for _ in 0..2 {
                let reason = outcome(&mut sim, &revoked);
                assert_eq!(reason, Some(Reason::TokenInactive), "{when}");
            }
        }
    }
}

/// By what the token itself says: nobody is asked, and each request wants something else.
#[test]
fn a_permission_is_looked_for_in_it_each_time() {
    let mut configuration = configuration();
    configuration["authorization"] = json!({"permissions": "orders#{method}", "decision": "rpt"});
    let token = token_with(&json!({
        "aud": AUDIENCE,
        "authorization": {"permissions": [{"rsname": "orders", "scopes": ["GET"]}]},
    }));
    for host in HOSTS {
        let mut sim = warm_with(host, 1, &configuration);
        for _ in 0..2 {
            for (method, reason) in [("GET", None), ("PUT", Some(Reason::MissingPermission))] {
                let mut request = get("/orders", &token.text);
                request.method = method.as_bytes().to_vec();
                let id = sim.request_of(0, &request, reason.is_none());
                assert_eq!(sim.reason(id), reason, "{method}");
            }
        }
    }
}

/// A token beside one that is known is read as it is beside one that is new.
#[test]
fn it_is_one_of_several_credentials_as_any_other() {
    for host in HOSTS {
        let mut sim = warm(host, 1);
        let (known, other) = (good(&P256_A).text, good(&P256_B).text);
        let garbage = "a%20b".to_owned();
        let id = sim.request(0, &good(&P256_A));
        assert!(sim.was_forwarded(id));
        for (header, param, reason) in [
            (&known, &known, None),
            (&known, &other, Some(Reason::MultipleTokens)),
            (&other, &known, Some(Reason::MultipleTokens)),
            (&known, &garbage, Some(Reason::MalformedCredentials)),
            (
                &format!("{known},"),
                &known,
                Some(Reason::MalformedCredentials),
            ),
            (&format!("{known} "), &known, None),
            (&format!("{known}="), &known, Some(Reason::MultipleTokens)),
        ] {
            let request = get(&format!("/orders?jwt={param}"), header);
            let id = sim.request_of(0, &request, reason.is_none());
            assert_eq!(sim.reason(id), reason, "{header} {param}");
        }
    }
}

#[test]
fn what_goes_up_is_the_same_each_time() {
    let mut configuration = configuration();
    configuration["claims_to_headers"] = json!({"x-user": "sub", "x-roles": "realm_access.roles"});
    configuration["claims_to_properties"] = json!({"client": "azp"});
    configuration["consumer_match"] = json!(true);
    configuration["consumers"] = json!([{"id": "1", "username": "client-of-the-token"}]);
    for host in HOSTS {
        let mut sim = warm_with(host, 1, &configuration);
        let token = good(&P256_A);
        let heads: Vec<_> = (0..3)
            .map(|_| {
                let mut request = get("/", &token.text);
                request
                    .headers
                    .push((b"X-User".to_vec(), b"someone".to_vec()));
                let id = sim.request_of(0, &request, true);
                let head = sim.head(id);
                (head.edits.clone(), head.told.clone())
            })
            .collect();
        assert!(heads[0].1.headers.len() >= 4, "{heads:?}");
        assert_eq!(heads[0], heads[1]);
        assert_eq!(heads[0], heads[2]);
    }
}
