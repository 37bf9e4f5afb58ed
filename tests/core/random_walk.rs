//! Thousands of random steps: requests with good and bad tokens, clients that hang up, providers
//! that fail in every way and recover, keys that rotate, answers that come twice. The simulator
//! asserts after every one of them what must always hold; here follows what must hold at the end.

use jwt_keycloak_core::time::Millis;
use jwt_keycloak_tests::keys::{ED25519_A, ED25519_B, P256_A, P256_B, TestKey};
use jwt_keycloak_tests::leaks::Secrets;
use jwt_keycloak_tests::random::Random;
use jwt_keycloak_tests::simulator::{Behaviour, Host, Simulation};
use jwt_keycloak_tests::tokens::{self, AUDIENCE, ISSUER, Token};
use serde_json::{Value, json};

const OTHER: &str = "https://other.example/realms/b";
const ISSUERS: [&str; 2] = [ISSUER, OTHER];
const STEPS: usize = 4000;

/// The keys that each issuer has, at one time or another.
fn keys_of(issuer: usize) -> [&'static TestKey; 2] {
    match issuer {
        0 => [&ED25519_A, &P256_A],
        _ => [&ED25519_B, &P256_B],
    }
}

fn alg_of(key: &TestKey) -> &'static str {
    if key.kid.starts_with("p-256") {
        "ES256"
    } else {
        "EdDSA"
    }
}

fn configuration() -> Value {
    json!({
        "allowed_iss": ISSUERS,
        "allowed_aud": [AUDIENCE],
        "allowed_alg": ["ES256", "EdDSA"],
        "key_wait_timeout": 2,
        "callout_timeout": 1.5,
        "jwks_refresh_interval": 30,
        "jwks_max_stale": 90,
        "iss_key_grace_period": 5,
        "policies": {"writers": {"scope": ["Function2/write"]}},
    })
}

struct Walk {
    sim: Simulation,
    random: Random,
    workers: usize,
    tokens: Vec<Token>,
    requests: usize,
}

impl Walk {
    fn new(host: Host, workers: usize, shares: bool, seed: u64) -> Self {
        let mut sim = Simulation::configured(host, workers, &configuration());
        if !shares {
            sim = sim.without_shared_data();
        }
        for (issuer, provider) in sim.providers.iter_mut().enumerate() {
            provider.keys = vec![keys_of(issuer)[0].jwk()];
        }
        Self {
            sim,
            random: Random::seeded(seed),
            workers,
            tokens: Vec::new(),
            requests: 0,
        }
    }

    fn good(&mut self) -> Token {
        let issuer = self.random.below(2);
        let key = *self.random.pick(&keys_of(issuer));
        let claims = tokens::claims(ISSUERS[issuer]);
        Token {
            text: tokens::mint_with(key, alg_of(key), &claims),
            genuine: true,
        }
    }

    fn bad(&mut self) -> Token {
        let issuer = self.random.below(2);
        let [ours, theirs] = [issuer, 1 - issuer].map(|issuer| *self.random.pick(&keys_of(issuer)));
        let mut claims = tokens::claims(ISSUERS[issuer]);
        let random_kid = format!("kid-{}", self.random.below(1 << 30));
        let text = match self.random.below(9) {
            0 => tokens::mint_with(theirs, alg_of(theirs), &claims),
            1 => {
                let header = tokens::header(alg_of(theirs), ours.kid);
                tokens::forge(&header, &claims, |input| theirs.sign(alg_of(theirs), input))
            }
            2 => {
                let header = tokens::header("ES256", &random_kid);
                tokens::forge(&header, &claims, |input| P256_A.sign("ES256", input))
            }
            3 => {
                claims["exp"] = json!(tokens::START.0 / 1000);
                tokens::mint_with(ours, alg_of(ours), &claims)
            }
            4 => {
                claims["aud"] = json!("elsewhere");
                tokens::mint_with(ours, alg_of(ours), &claims)
            }
            5 => {
                claims["iss"] = json!("https://evil.example");
                tokens::mint_with(ours, alg_of(ours), &claims)
            }
            6 => tokens::forge(&tokens::header("none", ours.kid), &claims, |_| Vec::new()),
            7 => {
                let good = tokens::mint_with(ours, alg_of(ours), &claims);
                let end = self.random.below(good.len());
                good[..end].to_owned()
            }
            _ => {
                claims["typ"] = json!("Refresh");
                tokens::mint_with(ours, alg_of(ours), &claims)
            }
        };
        Token {
            text,
            genuine: false,
        }
    }

    fn request(&mut self) {
        let mut token = match self.random.below(10) {
            0 if !self.tokens.is_empty() => self.random.pick(&self.tokens).clone(),
            1..5 => self.bad(),
            _ => self.good(),
        };
        self.tokens.push(token.clone());
        let worker = self.random.below(self.workers);
        let policy = match self.random.below(20) {
            0 => Some("writers"),
            1 => Some("unknown"),
            _ => None,
        };
        token.genuine &= policy.is_none();
        self.sim.request_with(worker, policy, &token);
        self.requests += 1;
    }

    fn change_a_provider(&mut self) {
        let index = self.random.below(2);
        let keys = keys_of(index).map(TestKey::jwk);
        let provider = &mut self.sim.providers[index];
        match self.random.below(12) {
            0 => provider.behaviour = Behaviour::CannotBeCalled,
            1 => provider.behaviour = Behaviour::Unreachable,
            2 => provider.behaviour = Behaviour::Silent,
            3 => provider.behaviour = Behaviour::Status(503),
            4 => provider.behaviour = Behaviour::NoKeySet,
            5 => {
                let length = self.random.below(300);
                provider.behaviour = Behaviour::Body(self.random.bytes(length));
            }
            6 => provider.behaviour = Behaviour::CutAfter(self.random.below(400)),
            7 => {
                provider.delay = Millis(self.random.below(2000) as u32);
                provider.trickles = self.random.once_in(2);
                if provider.trickles && self.random.once_in(4) {
                    provider.delay = Millis(15_000);
                }
            }
            8 => provider.keys = vec![keys[self.random.below(2)].clone()],
            9 => provider.keys = keys.to_vec(),
            _ => {
                provider.behaviour = Behaviour::Answers;
                provider.delay = Millis(self.random.below(200) as u32);
            }
        }
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0..16 => self.request(),
            16..18 => {
                // A crowd, now and then.
                for _ in 0..self.random.below(20) {
                    self.request();
                }
            }
            18..21 => {
                if !self.sim.waiting().is_empty() {
                    let id = *self.random.pick(self.sim.waiting());
                    self.sim.hang_up(id);
                }
            }
            21..23 => self.change_a_provider(),
            23 if self.random.once_in(20) => self.sim.answer_again(),
            24 if self.random.once_in(10) => self.sim.run_for(Millis(60_000)),
            _ => {
                let length = self.random.below(400);
                self.sim.run_for(Millis(length as u32));
            }
        }
    }

    /// The providers are well again: so is the gateway, soon.
    fn recover(&mut self) {
        for (index, provider) in self.sim.providers.iter_mut().enumerate() {
            provider.behaviour = Behaviour::Answers;
            provider.delay = Millis(20);
            provider.trickles = false;
            provider.keys = keys_of(index).map(TestKey::jwk).to_vec();
        }
        self.sim.run_for(Millis(120_000));
        assert!(self.sim.waiting().is_empty());
        for worker in 0..self.workers {
            for (index, iss) in ISSUERS.iter().enumerate() {
                for key in keys_of(index) {
                    let text = tokens::mint_with(key, alg_of(key), &tokens::claims(iss));
                    let id = self.sim.request(
                        worker,
                        &Token {
                            text,
                            genuine: true,
                        },
                    );
                    assert!(self.sim.was_forwarded(id), "{:?}", self.sim.outcome(id));
                }
            }
        }
    }

    fn nothing_leaked(&self) {
        let mut secrets = Secrets::default();
        for token in &self.tokens {
            secrets.add(&token.text, &ISSUERS);
        }
        for (_, line) in &self.sim.log {
            assert_eq!(secrets.found_in_line(&line.text), None, "{}", line.text);
        }
    }
}

fn walk(host: Host, workers: usize, shares: bool, seed: u64) {
    println!("{host:?}, {workers} workers, shared data: {shares}, seed {seed}");
    let mut walk = Walk::new(host, workers, shares, seed);
    for _ in 0..STEPS {
        walk.step();
    }
    walk.recover();
    walk.nothing_leaked();
    let forwarded = walk.sim.forwarded();
    println!("{} requests, {forwarded} forwarded", walk.requests);
    assert!(walk.requests > STEPS / 4);
    assert!(
        forwarded > walk.requests / 10,
        "{forwarded} of {}",
        walk.requests
    );
    assert!(
        forwarded < walk.requests / 2,
        "{forwarded} of {}",
        walk.requests
    );
}

#[test]
fn on_a_host_that_can_wake() {
    walk(Host::Wakes, 3, true, 1);
    walk(Host::Wakes, 1, true, 2);
}

#[test]
fn on_a_host_that_can_wake_without_shared_data() {
    walk(Host::Wakes, 2, false, 3);
}

#[test]
fn on_a_host_that_cannot_wake() {
    walk(Host::CannotWake, 3, true, 4);
    walk(Host::CannotWake, 1, true, 5);
}

#[test]
fn on_a_host_that_cannot_wake_without_shared_data() {
    walk(Host::CannotWake, 2, false, 6);
}
