//! Keys with which the gateway signs, in every form: what they sign is verified by the core and by
//! a second implementation, jwt-compact.
//!
//! The files in keys/signing/ were made by other implementations: see make.py there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_compact::alg::{
    Ed25519, Es256, Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key, Rsa, RsaPublicKey,
};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{AlgorithmExt as _, UntrustedToken};
use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::key::VerificationKey;
use jwt_keycloak_core::jose::signature::verifies;
use jwt_keycloak_core::jose::signing_key::{HostSigner, NoHostSigner, SigningKey};
use jwt_keycloak_tests::keys::{SHARED_SECRET, base64url};
use jwt_keycloak_tests::tokens::{self, ISSUER};
use jwt_keycloak_tests::verifier::Verifier;
use serde_json::{Map, Value, json};

const RSA: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

const HMAC: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

/// Every form of a key, and what it signs by: the first is what it does unless told otherwise.
const FORMS: [(&str, &[Algorithm]); 18] = [
    ("rsa-a.pem", &RSA),
    ("signing/rsa-a.pkcs1.pem", &RSA),
    ("signing/rsa-a.jwk.json", &RSA),
    ("signing/rsa-exponent-3.pem", &RSA),
    ("p-256-a.pem", &[Algorithm::Es256]),
    ("signing/p-256-a.sec1.pem", &[Algorithm::Es256]),
    ("signing/p-256-a.parameters.pem", &[Algorithm::Es256]),
    ("signing/p-256-a.no-public.pem", &[Algorithm::Es256]),
    ("signing/p-256-a.compressed.pem", &[Algorithm::Es256]),
    ("signing/p-256-a.jwk.json", &[Algorithm::Es256]),
    ("p-384-a.pem", &[Algorithm::Es384]),
    ("signing/p-384-a.sec1.pem", &[Algorithm::Es384]),
    ("signing/p-384-a.jwk.json", &[Algorithm::Es384]),
    ("p-521-a.pem", &[Algorithm::Es512]),
    ("signing/p-521-a.sec1.pem", &[Algorithm::Es512]),
    ("signing/p-521-a.jwk.json", &[Algorithm::Es512]),
    ("ed25519-a.pem", &[Algorithm::EdDsa]),
    ("signing/ed25519-a.jwk.json", &[Algorithm::EdDsa]),
];

/// The text of a file in keys/.
fn file(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/core/keys");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn read(form: &str, alg: Option<Algorithm>) -> SigningKey {
    let text = file(form);
    if form.ends_with(".json") {
        SigningKey::from_jwk(&serde_json::from_str(&text).unwrap(), alg).unwrap()
    } else {
        SigningKey::from_pem(&text, None, alg).unwrap()
    }
}

fn secret(alg: Algorithm) -> SigningKey {
    SigningKey::from_secret(SHARED_SECRET.to_vec(), Some("s".to_owned()), Some(alg)).unwrap()
}

fn sign(key: &SigningKey, message: &[u8], seed: u8) -> Vec<u8> {
    key.sign(message, [seed; 32], &NoHostSigner).unwrap()
}

/// A token that is good for [`Verifier`].
fn mint(key: &SigningKey) -> String {
    let header = tokens::header(key.alg().name(), key.kid().unwrap());
    tokens::forge(&header, &tokens::claims(ISSUER), |input| {
        sign(key, input, 1)
    })
}

/// What jwt-compact says of a token; `None` if it lacks the algorithm.
fn second_opinion(token: &str, key: &SigningKey) -> Option<bool> {
    let token = UntrustedToken::<Map<String, Value>>::try_from(token).unwrap();
    macro_rules! opinion {
        ($algorithm:expr, $key:expr) => {{
            let (algorithm, key) = ($algorithm, $key);
            let validator = algorithm.validator::<Map<String, Value>>(&key);
            Some(validator.validate(&token).is_ok())
        }};
    }
    let jwk = key.public_jwk().map(|jwk| {
        let jwk: JsonWebKey<'static> = serde_json::from_value(jwk).unwrap();
        jwk
    });
    let rsa = || RsaPublicKey::try_from(jwk.as_ref().unwrap()).unwrap();
    match key.alg() {
        Algorithm::Rs256 => opinion!(Rsa::rs256(), rsa()),
        Algorithm::Rs384 => opinion!(Rsa::rs384(), rsa()),
        Algorithm::Rs512 => opinion!(Rsa::rs512(), rsa()),
        Algorithm::Ps256 => opinion!(Rsa::ps256(), rsa()),
        Algorithm::Ps384 => opinion!(Rsa::ps384(), rsa()),
        Algorithm::Ps512 => opinion!(Rsa::ps512(), rsa()),
        Algorithm::Es256 => opinion!(Es256, jwk.as_ref().unwrap().try_into().unwrap()),
        Algorithm::EdDsa => opinion!(Ed25519, jwk.as_ref().unwrap().try_into().unwrap()),
        Algorithm::Hs256 => opinion!(Hs256, Hs256Key::new(SHARED_SECRET)),
        Algorithm::Hs384 => opinion!(Hs384, Hs384Key::new(SHARED_SECRET)),
        Algorithm::Hs512 => opinion!(Hs512, Hs512Key::new(SHARED_SECRET)),
        Algorithm::Es384 | Algorithm::Es512 => None,
    }
}

#[test]
fn every_form_of_a_key_signs_by_every_alg_that_fits() {
    for (form, algs) in FORMS {
        assert_eq!(read(form, None).alg(), algs[0], "{form}");
        for alg in algs {
            let key = read(form, Some(*alg));
            assert_eq!(key.alg(), *alg);
            let public = VerificationKey::from_jwk(&key.public_jwk().unwrap()).unwrap();
            assert!(public.is_declared_for(*alg), "{form} {alg}");
            let signature = sign(&key, b"message", 1);
            assert!(
                verifies(&public, *alg, b"message", &signature),
                "{form} {alg}"
            );
            assert!(
                !verifies(&public, *alg, b"massage", &signature),
                "{form} {alg}"
            );

            let token = mint(&key);
            let verifier = Verifier::with_keys(&[key.public_jwk().unwrap()]);
            assert_eq!(verifier.verdict(&token), Ok(()), "{form} {alg}");
            let known = !matches!(alg, Algorithm::Es384 | Algorithm::Es512);
            let opinion = second_opinion(&token, &key);
            assert_eq!(opinion, known.then_some(true), "{form} {alg}");
        }
        for alg in Algorithm::ALL.into_iter().filter(|alg| !algs.contains(alg)) {
            let text = file(form);
            let refused = match serde_json::from_str(&text) {
                Ok(jwk) => SigningKey::from_jwk(&jwk, Some(alg)),
                Err(_) => SigningKey::from_pem(&text, None, Some(alg)),
            };
            assert!(refused.is_err(), "{form} {alg}");
        }
    }
}

#[test]
fn a_secret_signs_by_every_hmac() {
    for alg in HMAC {
        for key in [
            secret(alg),
            SigningKey::from_jwk(
                &json!({"kty": "oct", "kid": "s", "alg": alg.name(), "k": base64url(SHARED_SECRET)}),
                None,
            )
            .unwrap(),
        ] {
            let public = VerificationKey::from_secret(SHARED_SECRET.to_vec(), None, Some(alg));
            let signature = sign(&key, b"message", 1);
            assert!(verifies(&public.unwrap(), alg, b"message", &signature), "{alg}");
            assert_eq!(second_opinion(&mint(&key), &key), Some(true), "{alg}");
        }
    }
}

#[test]
fn all_forms_are_the_same_key() {
    for forms in FORMS.chunk_by(|(one, _), (other, _)| {
        let name = |form: &str| {
            form.replace("signing/", "")
                .split('.')
                .next()
                .unwrap()
                .to_owned()
        };
        name(one) == name(other)
    }) {
        let public_jwks = forms.iter().map(|(form, _)| read(form, None).public_jwk());
        let derived = forms
            .iter()
            .map(|(form, _)| read(form, None).derive(b"label"));
        let (public_jwks, derived): (Vec<_>, Vec<_>) = (public_jwks.collect(), derived.collect());
        assert!(public_jwks.iter().all(|jwk| *jwk == public_jwks[0]));
        assert!(derived.iter().all(|value| *value == derived[0]));
    }
}

/// The public half says nothing of the private one, and the name is the thumbprint.
#[test]
fn the_public_half_is_public() {
    use rsa::sha2::Sha256;
    for (form, algs) in FORMS {
        let key = read(form, None);
        let public = key.public_jwk().unwrap();
        let names: Vec<_> = public
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let expected: &[_] = match algs[0] {
            Algorithm::Rs256 => &["alg", "e", "kid", "kty", "n", "use"],
            Algorithm::EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
            _ => &["alg", "crv", "kid", "kty", "use", "x", "y"],
        };
        assert_eq!(names, expected, "{form}");
        assert_eq!(
            (&public["use"], &public["alg"]),
            (&json!("sig"), &json!(algs[0].name()))
        );
        let jwk: JsonWebKey<'_> = serde_json::from_value(public).unwrap();
        let thumbprint = base64url(&jwk.thumbprint::<Sha256>());
        assert_eq!(key.kid(), Some(thumbprint.as_str()), "{form}");
    }
}

#[test]
fn an_rsa_jwk_may_lack_its_primes() {
    let mut jwk: Value = serde_json::from_str(&file("signing/rsa-a.jwk.json")).unwrap();
    let expected = SigningKey::from_jwk(&jwk, None).unwrap();
    for name in ["qi", "dp", "dq"] {
        jwk.as_object_mut().unwrap().remove(name);
        assert!(SigningKey::from_jwk(&jwk, None).is_ok(), "{name}");
    }
    for name in ["p", "q"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    let key = SigningKey::from_jwk(&jwk, None).unwrap();
    assert_eq!(sign(&key, b"message", 1), sign(&expected, b"message", 2));
}

#[test]
fn only_pss_depends_on_the_seed() {
    for alg in RSA {
        let key = read("rsa-a.pem", Some(alg));
        let public = VerificationKey::from_jwk(&key.public_jwk().unwrap()).unwrap();
        let signatures = [1, 2, 3].map(|seed| sign(&key, b"message", seed));
        assert!(
            signatures
                .iter()
                .all(|one| verifies(&public, alg, b"message", one))
        );
        let [one, two, three] = &signatures;
        if alg.name().starts_with("PS") {
            assert!(one != two && two != three && three != one, "{alg}");
        } else {
            assert!(one == two && two == three, "{alg}");
        }
    }
    for (form, algs) in FORMS.into_iter().filter(|(_, algs)| algs.len() == 1) {
        let key = read(form, Some(algs[0]));
        assert_eq!(
            sign(&key, b"message", 1),
            sign(&key, b"message", 2),
            "{form}"
        );
    }
}

/// A host that signs as Envoy does; but it adds a word, so that it can be told from the crates.
struct Envoy;

const ADDED: &[u8] = b", by the host";

impl HostSigner for Envoy {
    fn sign(&self, hash: &'static str, private_key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
        use p256::ecdsa::signature::Signer as _;
        use p256::pkcs8::DecodePrivateKey as _;
        use rsa::pkcs8::DecodePrivateKey as _;
        use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
        let message = &[message, ADDED].concat();
        macro_rules! by {
            ($curve:ident) => {
                if let Ok(key) = $curve::ecdsa::SigningKey::from_pkcs8_der(private_key) {
                    let signature: $curve::ecdsa::DerSignature = key.sign(message);
                    return Some(signature.as_bytes().to_vec());
                }
            };
        }
        // Each of them hashes as JOSE wants it with the curve.
        match hash {
            "sha256" => by!(p256),
            "sha384" => by!(p384),
            "sha512" => by!(p521),
            _ => panic!("{hash}"),
        }
        let key = rsa::RsaPrivateKey::from_pkcs8_der(private_key).unwrap();
        macro_rules! rsa {
            ($hash:ty) => {
                key.sign(rsa::Pkcs1v15Sign::new::<$hash>(), &<$hash>::digest(message))
            };
        }
        let signature = match hash {
            "sha256" => rsa!(Sha256),
            "sha384" => rsa!(Sha384),
            _ => rsa!(Sha512),
        };
        signature.ok()
    }
}

#[test]
fn a_host_signs_as_the_crates_would() {
    for (form, algs) in FORMS {
        for alg in algs {
            let key = read(form, Some(*alg));
            let by_host = key.sign(b"message", [1; 32], &Envoy).unwrap();
            let expected = match &alg.name()[..2] {
                // ECDSA is deterministic there, too.
                "RS" | "ES" => sign(&key, &[b"message", ADDED].concat(), 1),
                _ => sign(&key, b"message", 1),
            };
            assert_eq!(by_host, expected, "{form} {alg}");
        }
    }
}

/// A host that answers this whatever it is asked, and counts.
struct Answering<'a>(&'a [u8], std::cell::Cell<usize>);

impl HostSigner for Answering<'_> {
    fn sign(&self, _: &'static str, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        self.1.set(self.1.get() + 1);
        Some(self.0.to_vec())
    }
}

#[test]
fn the_crates_sign_where_a_host_answers_with_nonsense() {
    for (form, algs) in FORMS {
        for alg in algs {
            let key = read(form, Some(*alg));
            let expected = sign(&key, b"message", 1);
            for nonsense in [
                b"".as_slice(),
                b"nonsense",
                &[0x30; 255],
                &[0; 64],
                &[7; 257],
            ] {
                let host = Answering(nonsense, Default::default());
                assert_eq!(key.sign(b"message", [1; 32], &host).unwrap(), expected);
                let asked = alg.name().starts_with("RS") || alg.name().starts_with("ES");
                assert_eq!(host.1.get(), usize::from(asked), "{form} {alg}");
            }
        }
    }
    // The right length is all that is asked of RSA: what a host signs is its own affair.
    let key = read("rsa-a.pem", None);
    let host = Answering(&[7; 256], Default::default());
    assert_eq!(key.sign(b"message", [1; 32], &host).unwrap(), [7; 256]);
}

#[test]
fn a_certificate_goes_with_its_key() {
    for name in ["rsa-a", "p-256-a", "p-384-a", "p-521-a", "ed25519-a"] {
        let pem = file(&format!("configured/{name}.certificate.pem"));
        let lines: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for text in [pem.clone(), lines.concat(), lines.join("\r\n")] {
            let key = read(&format!("{name}.pem"), None).certified(&text).unwrap();
            let der = STANDARD.decode(lines.concat()).unwrap();
            assert_eq!(key.certificate(), Some(der.as_slice()), "{name}");
            // RFC 7517, 4.7.
            let public = key.public_jwk().unwrap();
            assert_eq!(public["x5c"], json!([lines.concat()]));
            let verifier = Verifier::with_keys(&[public]);
            assert_eq!(verifier.verdict(&mint(&key)), Ok(()), "{name}");
            let configured = VerificationKey::from_pem(&pem, None, None).unwrap();
            let signature = sign(&key, b"message", 1);
            assert!(verifies(&configured, key.alg(), b"message", &signature));
        }
    }
}

#[test]
fn no_key_is_printed() {
    for (form, _) in FORMS {
        let key = read(form, None);
        let printed = format!("{key:?}");
        let (alg, kid) = (format!("{:?}", key.alg()), format!("{:?}", key.kid()));
        assert_eq!(
            printed,
            format!("SigningKey {{ alg: {alg}, kid: {kid}, .. }}"),
            "{form}"
        );
    }
}
