//! Keys that cannot sign, each with what is said of it; and keys that were damaged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_keycloak_core::jose::algorithm::Algorithm;
use jwt_keycloak_core::jose::key::{Unusable, VerificationKey};
use jwt_keycloak_core::jose::signature::verifies;
use jwt_keycloak_core::jose::signing_key::{BadSigningKey, NoHostSigner, SigningKey};
use jwt_keycloak_tests::keys::{P256_A, P256_B, RSA_A, RSA_B, Secret, base64url};
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};

/// The text of a file in keys/.
fn file(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/core/keys");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

fn refusal(pem: &str) -> BadSigningKey {
    SigningKey::from_pem(pem, None, None).unwrap_err()
}

fn refusal_of_jwk(jwk: &Value) -> BadSigningKey {
    SigningKey::from_jwk(jwk, None).unwrap_err()
}

fn der(pem: &str) -> Vec<u8> {
    let is_content = |line: &&str| !line.contains(['-', ':', ' ']);
    let lines = pem.lines().filter(is_content);
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn to_pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// DER by hand, of less than 128 bytes.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 128);
    [&[tag, length], content].concat()
}

#[test]
fn every_bad_file_is_told_apart() {
    for (name, why, words) in [
        (
            "rsa-1024.pem",
            Unusable::WeakOrOversizedRsa.into(),
            "an RSA key without 2048 to 8192 bits and an odd exponent of 3 or more",
        ),
        (
            "rsa-three-primes.pem",
            BadSigningKey::MultiPrimeRsa,
            "an RSA key of more than two primes",
        ),
        (
            "rsa-pss.pem",
            Unusable::UnsupportedKeyType.into(),
            "a key that is not RSA, P-256, P-384, P-521 or Ed25519",
        ),
        (
            "x25519.pem",
            Unusable::UnsupportedKeyType.into(),
            "a key that is not RSA, P-256, P-384, P-521 or Ed25519",
        ),
        (
            "ed448.pem",
            Unusable::UnsupportedKeyType.into(),
            "a key that is not RSA, P-256, P-384, P-521 or Ed25519",
        ),
        (
            "secp256k1.pem",
            BadSigningKey::UnsupportedCurve,
            "a curve that is not named P-256, P-384 or P-521",
        ),
        (
            "secp256k1.sec1.pem",
            BadSigningKey::UnsupportedCurve,
            "a curve that is not named P-256, P-384 or P-521",
        ),
        // P-256, but the key says so itself.
        (
            "p-256-a.explicit.pem",
            BadSigningKey::UnsupportedCurve,
            "a curve that is not named P-256, P-384 or P-521",
        ),
        (
            "p-256-a.explicit-pkcs8.pem",
            BadSigningKey::UnsupportedCurve,
            "a curve that is not named P-256, P-384 or P-521",
        ),
        (
            "p-256-a.encrypted.pem",
            BadSigningKey::Encrypted,
            "an encrypted private key, which nobody here can decrypt",
        ),
        (
            "p-256-a.encrypted-sec1.pem",
            BadSigningKey::Encrypted,
            "an encrypted private key, which nobody here can decrypt",
        ),
        (
            "rsa-a.encrypted-pkcs1.pem",
            BadSigningKey::Encrypted,
            "an encrypted private key, which nobody here can decrypt",
        ),
        (
            "p-256-a.openssh.pem",
            BadSigningKey::UnsupportedPemLabel,
            "a PEM block other than PRIVATE KEY, RSA PRIVATE KEY and EC PRIVATE KEY",
        ),
        (
            "../configured/p-256-a.public.pem",
            BadSigningKey::NotPrivate,
            "a public key or a certificate, and no private key",
        ),
        (
            "../configured/rsa-a.certificate.pem",
            BadSigningKey::NotPrivate,
            "a public key or a certificate, and no private key",
        ),
    ] {
        let why_not = refusal(&file(&format!("signing/{name}")));
        assert_eq!(
            (why_not, why_not.to_string().as_str()),
            (why, words),
            "{name}"
        );
    }
}

#[test]
fn which_key_is_meant_of_several_is_not_guessed() {
    let p256 = file("signing/p-256-a.sec1.pem");
    for other in [
        "p-256-a.pem",
        "p-256-b.pem",
        "configured/p-256-a.public.pem",
        "configured/p-256-a.certificate.pem",
        "signing/p-256-a.parameters.pem",
    ] {
        let other = file(other);
        for text in [format!("{p256}{other}"), format!("{other}{p256}")] {
            assert_eq!(refusal(&text), BadSigningKey::SeveralPemBlocks, "{text}");
        }
    }
    // Parameters go before the key.
    let both = file("signing/p-256-a.parameters.pem");
    let (parameters, _) = both.split_at(both.find("-----BEGIN EC PRIVATE").unwrap());
    let why = refusal(&format!("{p256}{parameters}"));
    assert_eq!(why, BadSigningKey::SeveralPemBlocks);
    assert_eq!(refusal(parameters), BadSigningKey::UnsupportedPemLabel);
}

/// What RFC 5915, 3 makes of a scalar, a curve's OID and a point.
fn ec_private_key(scalar: &[u8], curve: Option<&[u8]>, point: Option<&[u8]>) -> Vec<u8> {
    let curve = curve.map_or(Vec::new(), |oid| tlv(0xa0, &tlv(6, oid)));
    let point = point.map_or(Vec::new(), |point| {
        tlv(0xa1, &tlv(3, &[&[0], point].concat()))
    });
    tlv(0x30, &[tlv(2, &[1]), tlv(4, scalar), curve, point].concat())
}

const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];

fn p256(secret: &Secret) -> (Vec<u8>, Vec<u8>) {
    let Secret::P256(key) = secret else {
        panic!("not P-256")
    };
    let point = key.verifying_key().to_sec1_point(false);
    (key.to_bytes().to_vec(), point.as_bytes().to_vec())
}

#[test]
fn a_sec1_key_names_its_curve_and_its_own_point() {
    let (scalar, point) = p256(&P256_A.secret);
    let (_, other) = p256(&P256_B.secret);
    let read = |scalar: &[u8], curve, point| {
        let der = ec_private_key(scalar, curve, point);
        SigningKey::from_pem(&to_pem("EC PRIVATE KEY", &der), None, None).map(|key| key.alg())
    };
    assert_eq!(
        read(&scalar, Some(P256), Some(&point)),
        Ok(Algorithm::Es256)
    );
    assert_eq!(read(&scalar, Some(P256), None), Ok(Algorithm::Es256));
    for (scalar, curve, point, why) in [
        (
            scalar.as_slice(),
            None,
            Some(point.as_slice()),
            BadSigningKey::NoCurve,
        ),
        (
            &scalar,
            Some(P256),
            Some(&other),
            BadSigningKey::OtherPublicKey,
        ),
        (
            &scalar,
            Some(P256),
            Some(&point[1..]),
            Unusable::Malformed.into(),
        ),
        (
            &scalar,
            Some(P256),
            Some(&point[..64]),
            Unusable::BadPoint.into(),
        ),
        (&scalar, Some(P256), Some(&[]), Unusable::Malformed.into()),
        (&scalar, Some(P384), Some(&point), Unusable::BadPoint.into()),
        (
            &scalar,
            Some(&[0x2a]),
            None,
            BadSigningKey::UnsupportedCurve,
        ),
        // None, zero, too many.
        (&[], Some(P256), None, Unusable::Malformed.into()),
        (&[0; 32], Some(P256), None, Unusable::Malformed.into()),
        (&[255; 32], Some(P256), None, Unusable::Malformed.into()),
        (&[1; 33], Some(P256), None, Unusable::Malformed.into()),
    ] {
        assert_eq!(
            read(scalar, curve, point),
            Err(why),
            "{scalar:x?} {curve:x?} {point:x?}"
        );
    }
    let words = BadSigningKey::NoCurve.to_string();
    assert_eq!(words, "an EC private key that does not name its curve");
    let words = BadSigningKey::OtherPublicKey.to_string();
    assert_eq!(words, "a private key beside the public key of another");
    // RFC 5915, 3: version 1.
    let mut der = ec_private_key(&scalar, Some(P256), None);
    der[4] = 2;
    assert_eq!(
        refusal(&to_pem("EC PRIVATE KEY", &der)),
        Unusable::Malformed.into()
    );
}

#[test]
fn pkcs8_names_one_curve() {
    let (scalar, _) = p256(&P256_A.secret);
    let read = |outside: Option<&[u8]>, inside: Option<&[u8]>| {
        let ec_public_key = tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
        let outside = outside.map_or(Vec::new(), |oid| tlv(6, oid));
        let algorithm = tlv(0x30, &[ec_public_key, outside].concat());
        let key = tlv(4, &ec_private_key(&scalar, inside, None));
        let der = tlv(0x30, &[tlv(2, &[0]), algorithm, key].concat());
        SigningKey::from_pem(&to_pem("PRIVATE KEY", &der), None, None).map(|key| key.alg())
    };
    for (outside, inside, expected) in [
        (Some(P256), None, Ok(Algorithm::Es256)),
        (Some(P256), Some(P256), Ok(Algorithm::Es256)),
        (Some(P256), Some(P384), Err(Unusable::Malformed.into())),
        (Some(P384), Some(P256), Err(Unusable::Malformed.into())),
        (None, None, Err(BadSigningKey::NoCurve)),
    ] {
        assert_eq!(read(outside, inside), expected, "{outside:x?} {inside:x?}");
    }
}

fn rsa_jwk() -> Value {
    serde_json::from_str(&file("signing/rsa-a.jwk.json")).unwrap()
}

/// The JWK of any numbers.
fn jwk_of(n: &BigUint, e: &BigUint, d: &BigUint, primes: Option<(&BigUint, &BigUint)>) -> Value {
    let text = |number: &BigUint| base64url(&number.to_bytes_be());
    let mut jwk = json!({"kty": "RSA", "n": text(n), "e": text(e), "d": text(d)});
    if let Some((p, q)) = primes {
        jwk["p"] = json!(text(p));
        jwk["q"] = json!(text(q));
    }
    jwk
}

#[test]
fn the_numbers_of_an_rsa_key_belong_together() {
    let own = rsa_jwk();
    let text = |number: &BigUint| json!(base64url(&number.to_bytes_be()));
    let rsa = RSA_A.rsa();
    let (one, two) = (BigUint::from_bytes_be(&[1]), BigUint::from_bytes_be(&[2]));
    let totient = (&rsa.primes()[0] - &one) * (&rsa.primes()[1] - &one);
    for (name, value) in [
        ("n", text(RSA_B.rsa().n())),
        ("e", json!("AQAD")),
        ("d", json!("AA")),
        ("d", text(&(rsa.d() + &two))),
        // RFC 8017, 3.2: the same to every modulus, but not the least.
        ("d", text(&(rsa.d() + &totient + &totient))),
        ("p", text(&RSA_B.rsa().primes()[0])),
        ("q", own["p"].clone()),
        ("q", json!("AQ")),
        ("q", json!("AA")),
        ("dp", own["dq"].clone()),
        ("dq", own["dp"].clone()),
        ("qi", own["dp"].clone()),
    ] {
        let mut jwk = own.clone();
        jwk[name] = value;
        assert_eq!(
            refusal_of_jwk(&jwk),
            BadSigningKey::InconsistentRsa,
            "{name}"
        );
        // And without the primes, where that tells.
        if ["n", "e", "d"].contains(&name) {
            for name in ["p", "q", "dp", "dq", "qi"] {
                jwk.as_object_mut().unwrap().remove(name);
            }
            assert_eq!(
                refusal_of_jwk(&jwk),
                BadSigningKey::InconsistentRsa,
                "{name}"
            );
        }
    }
    let words = BadSigningKey::InconsistentRsa.to_string();
    assert_eq!(words, "an RSA key whose numbers do not belong together");
    // The primes the other way round are other dp, dq and qi.
    let mut jwk = own.clone();
    (jwk["p"], jwk["q"]) = (own["q"].clone(), own["p"].clone());
    assert_eq!(refusal_of_jwk(&jwk), BadSigningKey::InconsistentRsa);
    for name in ["dp", "dq", "qi"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    assert!(SigningKey::from_jwk(&jwk, None).is_ok());
    // One prime twice.
    let (p, dp) = (&rsa.primes()[0], rsa.dp().unwrap());
    let jwk = jwk_of(&(p * p), rsa.e(), dp, Some((p, p)));
    assert_eq!(refusal_of_jwk(&jwk), BadSigningKey::InconsistentRsa);
    // The same in PKCS #1: its last number, qi, is another.
    let mut pkcs1 = der(&file("signing/rsa-a.pkcs1.pem"));
    *pkcs1.last_mut().unwrap() ^= 1;
    let why = refusal(&to_pem("RSA PRIVATE KEY", &pkcs1));
    assert_eq!(why, BadSigningKey::InconsistentRsa);
}

#[test]
fn an_rsa_key_has_two_primes_of_one_size() {
    let mut jwk = rsa_jwk();
    jwk["oth"] = json!([]);
    assert_eq!(refusal_of_jwk(&jwk), BadSigningKey::MultiPrimeRsa);
    for missing in ["p", "q"] {
        let mut jwk = rsa_jwk();
        jwk.as_object_mut().unwrap().remove(missing);
        assert_eq!(
            refusal_of_jwk(&jwk),
            Unusable::Malformed.into(),
            "{missing}"
        );
    }
    let mut jwk = rsa_jwk();
    for missing in ["p", "q"] {
        jwk.as_object_mut().unwrap().remove(missing);
    }
    assert_eq!(refusal_of_jwk(&jwk), Unusable::Malformed.into());

    // Everything belongs together, but a signature would take for ever.
    let three = BigUint::from_bytes_be(&[3]);
    let large = BigUint::from_bytes_be(&[0xff; 256]);
    let e = BigUint::from_bytes_be(&[1, 0, 1]);
    let key = RsaPrivateKey::from_p_q(three.clone(), large.clone(), e).unwrap();
    for primes in [None, Some((&three, &large)), Some((&large, &three))] {
        let jwk = jwk_of(key.n(), key.e(), key.d(), primes);
        let why = refusal_of_jwk(&jwk);
        assert_eq!(why, BadSigningKey::UnbalancedPrimes);
        assert_eq!(
            why.to_string(),
            "an RSA key whose primes are not of one size"
        );
    }
}

#[test]
fn primes_are_not_found_with_a_small_exponent() {
    use rsa::pkcs8::DecodePrivateKey as _;
    let key = RsaPrivateKey::from_pkcs8_pem(&file("signing/rsa-exponent-3.pem")).unwrap();
    let [p, q] = key.primes() else {
        panic!("not two primes")
    };
    let jwk = jwk_of(key.n(), key.e(), key.d(), Some((p, q)));
    assert!(SigningKey::from_jwk(&jwk, None).is_ok());
    let why = refusal_of_jwk(&jwk_of(key.n(), key.e(), key.d(), None));
    assert_eq!(why, BadSigningKey::PrimesMissing);
    let words = "an RSA key without p and q, and with an exponent too small to find them";
    assert_eq!(why.to_string(), words);
}

#[test]
fn an_rsa_jwk_is_as_strong_as_one_that_verifies() {
    for (name, value) in [
        ("n", base64url(&[0xff; 128])),
        ("n", base64url(&[0xfe; 256])),
        ("n", base64url(&[0xff; 1025])),
        ("e", "AQ".to_owned()),
        ("e", "Ag".to_owned()),
        ("e", "_____________w".to_owned()),
    ] {
        let mut jwk = rsa_jwk();
        jwk[name] = json!(value);
        assert_eq!(
            refusal_of_jwk(&jwk),
            Unusable::WeakOrOversizedRsa.into(),
            "{name}={value}"
        );
    }
}

#[test]
fn the_alg_that_is_asked_for_is_the_jwks_own() {
    let mut jwk = rsa_jwk();
    jwk["alg"] = json!("PS256");
    let read = |alg| SigningKey::from_jwk(&jwk, alg).map(|key| key.alg());
    assert_eq!(read(None), Ok(Algorithm::Ps256));
    assert_eq!(read(Some(Algorithm::Ps256)), Ok(Algorithm::Ps256));
    assert_eq!(
        read(Some(Algorithm::Rs256)),
        Err(BadSigningKey::OtherAlgorithm)
    );
    assert_eq!(
        BadSigningKey::OtherAlgorithm.to_string(),
        "a JWK with another alg"
    );
}

#[test]
fn a_certificate_is_of_the_key_and_for_signatures() {
    let refusal = |key: &str, text: &str| {
        let key = SigningKey::from_pem(&file(key), None, None).unwrap();
        key.certified(text).unwrap_err()
    };
    let certificate = file("configured/p-256-a.certificate.pem");
    for key in ["p-256-b.pem", "p-384-a.pem", "rsa-a.pem", "ed25519-a.pem"] {
        let why = refusal(key, &certificate);
        assert_eq!(why, BadSigningKey::OtherCertificate, "{key}");
        assert_eq!(why.to_string(), "the certificate of another key");
    }
    for form in ["encipherment", "authority"] {
        let text = file(&format!("configured/p-256-a.{form}.pem"));
        let why = refusal("p-256-a.pem", &text);
        assert_eq!(why, BadSigningKey::CertificateNotForSignatures);
        assert_eq!(why.to_string(), "a certificate that is not for signatures");
    }
    for (text, why) in [
        (file("p-256-a.pem"), BadSigningKey::NotACertificate),
        (
            file("configured/p-256-a.public.pem"),
            BadSigningKey::NotACertificate,
        ),
        (
            format!("{certificate}{certificate}"),
            Unusable::SeveralPemBlocks.into(),
        ),
        (
            certificate.replace("MII", "MI*"),
            Unusable::MalformedPem.into(),
        ),
        (
            STANDARD.encode(&der(&certificate)[1..]),
            Unusable::MalformedCertificate.into(),
        ),
        (
            base64url(&[0xff; 100]),
            Unusable::MalformedCertificate.into(),
        ),
        (String::new(), Unusable::MalformedCertificate.into()),
        (
            "/etc/ssl/gateway.pem".to_owned(),
            Unusable::MalformedCertificate.into(),
        ),
    ] {
        assert_eq!(refusal("p-256-a.pem", &text), why, "{text}");
    }
    assert_eq!(
        BadSigningKey::NotACertificate.to_string(),
        "a PEM block other than CERTIFICATE"
    );
}

#[test]
fn nothing_of_a_bad_key_is_told() {
    for entry in
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/core/keys/signing")).unwrap()
    {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let told = match SigningKey::from_pem(&text, None, None) {
            Ok(key) => format!("{key:?}"),
            Err(why) => format!("{why} {why:?}"),
        };
        for line in text
            .lines()
            .filter(|line| line.len() > 30 && !line.contains(' '))
        {
            assert!(!told.contains(line), "{path:?}");
        }
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// A damaged key is refused, or it is still a key whose signatures its public half verifies.
#[test]
fn no_damaged_key_signs_what_its_public_half_does_not_verify() {
    for (name, label, step) in [
        ("signing/rsa-a.pkcs1.pem", "RSA PRIVATE KEY", 53),
        ("rsa-a.pem", "PRIVATE KEY", 197),
        ("signing/p-256-a.sec1.pem", "EC PRIVATE KEY", 1),
        ("signing/p-256-a.no-public.pem", "EC PRIVATE KEY", 1),
        ("p-384-a.pem", "PRIVATE KEY", 5),
        ("p-521-a.pem", "PRIVATE KEY", 17),
        ("ed25519-a.pem", "PRIVATE KEY", 1),
    ] {
        let good = der(&file(name));
        for bit in (0..good.len() * 8).step_by(step) {
            let text = to_pem(label, &flipped(&good, bit));
            let Ok(key) = SigningKey::from_pem(&text, None, None) else {
                continue;
            };
            let public = VerificationKey::from_jwk(&key.public_jwk().unwrap()).unwrap();
            let signature = key.sign(b"message", [1; 32], &NoHostSigner).unwrap();
            assert!(
                verifies(&public, key.alg(), b"message", &signature),
                "{name} bit {bit}"
            );
        }
        for length in 0..good.len() {
            let text = to_pem(label, &good[..length]);
            let expected = [Unusable::Malformed, Unusable::MalformedPem].map(BadSigningKey::from);
            assert!(expected.contains(&refusal(&text)), "{name} {length}");
        }
    }
}
