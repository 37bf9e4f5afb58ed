//! A key that signs the gateway's own JWTs. It is read from a PEM text (`private_pem.rs`), a JWK
//! (`private_jwk.rs`) or a secret, and signs in `sign.rs`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::zeroize::Zeroizing;
use serde_json::{Map, Value, json};

use super::algorithm::{Algorithm, Family};
pub use super::bad_signing_key::BadSigningKey;
use super::hmac_sha256::hmac_sha256;
use super::key::{Material, Unusable, VerificationKey};
use super::pem;
use super::private_key::PrivateKey;
use super::secret::Secret;
pub use super::sign::{HostSigner, NoHostSigner, SigningFailed};
use super::thumbprint::thumbprint;

/// A key that signs the gateway's own JWTs, by one algorithm, under one name. It cannot be
/// printed.
pub struct SigningKey {
    pub(super) private: PrivateKey,
    /// The private key for a host that signs; `None` if no host signs by `alg`.
    pub(super) pkcs8: Option<Zeroizing<Vec<u8>>>,
    public: Material,
    /// The members that make the public key; `None` for a secret.
    public_members: Option<Map<String, Value>>,
    alg: Algorithm,
    kid: Option<String>,
    certificate: Option<Vec<u8>>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("alg", &self.alg)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Takes a secret of at least 32, 48 or 64 bytes for HS256, which is the default, HS384 or
    /// HS512 (RFC 7518, 3.2).
    ///
    /// # Errors
    /// [`BadSigningKey`] says why it cannot be one.
    pub fn from_secret(
        bytes: Vec<u8>,
        kid: Option<String>,
        alg: Option<Algorithm>,
    ) -> Result<Self, BadSigningKey> {
        let secret = Secret::new(bytes, alg.unwrap_or(Algorithm::Hs256))?;
        Self::new(PrivateKey::Hmac(secret), kid, alg)
    }

    /// Takes a private key that signs by `alg`, or as is usual for its type.
    pub(super) fn new(
        private: PrivateKey,
        kid: Option<String>,
        alg: Option<Algorithm>,
    ) -> Result<Self, BadSigningKey> {
        let alg = alg.unwrap_or_else(|| private.default_alg());
        let public = private.public()?;
        let public_members = public.members();
        let kid = kid.or_else(|| thumbprint(public_members.as_ref()?));
        // Whoever verifies asks the same of the public half: that the algorithm fits it.
        let VerificationKey { material, kid, .. } = VerificationKey::new(public, kid, Some(alg))?;
        let pkcs8 = match alg.family() {
            Family::RsaPkcs1 | Family::P256 | Family::P384 | Family::P521 => private.pkcs8(),
            Family::RsaPss | Family::Ed25519 | Family::Hmac => None,
        };
        Ok(Self {
            private,
            pkcs8,
            public: material,
            public_members,
            alg,
            kid,
            certificate: None,
        })
    }

    /// Adds the certificate of this key: a PEM text, or base64 of its DER (RFC 7515, 4.1.6). Who
    /// issued it, and when it is valid, is for those who are shown it.
    ///
    /// # Errors
    /// [`BadSigningKey`]: it is malformed, of another key, or not for signatures (RFC 5280,
    /// 4.2.1.3); or this is a secret.
    pub fn certified(mut self, certificate: &str) -> Result<Self, BadSigningKey> {
        if matches!(self.private, PrivateKey::Hmac(_)) {
            return Err(BadSigningKey::CertifiedSecret);
        }
        let der = certificate_der(certificate)?;
        let (material, _) = pem::certified_key(&der).map_err(|why| match why {
            Unusable::NotForSignatures => BadSigningKey::CertificateNotForSignatures,
            Unusable::MalformedCertificate => why.into(),
            // A key that could not verify is not this one.
            _ => BadSigningKey::OtherCertificate,
        })?;
        if !material.is(&self.public) {
            return Err(BadSigningKey::OtherCertificate);
        }
        self.certificate = Some(der);
        Ok(self)
    }

    #[must_use]
    pub fn alg(&self) -> Algorithm {
        self.alg
    }

    /// The name that was given, or else the thumbprint (RFC 7638); `None` for a secret without a
    /// name.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The name that was given to it, if it was: whoever knows the key by another way knows no other.
    #[must_use]
    pub fn given_kid(&self) -> Option<&str> {
        let usual = self.public_members.as_ref().and_then(thumbprint);
        self.kid().filter(|kid| usual.as_deref() != Some(*kid))
    }

    /// The certificate's DER.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// The public half as it may be published (RFC 7517, 4), with `kid`, `alg`, `use` and, if it
    /// is certified, `x5c`. `None` for a secret.
    #[must_use]
    pub fn public_jwk(&self) -> Option<Value> {
        let mut jwk = self.public_members.clone()?;
        if let Some(kid) = &self.kid {
            jwk.insert("kid".to_owned(), json!(kid));
        }
        jwk.insert("alg".to_owned(), json!(self.alg.name()));
        jwk.insert("use".to_owned(), json!("sig"));
        if let Some(der) = &self.certificate {
            // RFC 7517, 4.7: base64, not base64url.
            jwk.insert("x5c".to_owned(), json!([STANDARD.encode(der)]));
        }
        Some(Value::Object(jwk))
    }

    /// 32 bytes that only those who have the key can know, one value a `label`: HMAC-SHA256 under
    /// the private key. They tell nothing of the key or of each other.
    #[must_use]
    pub fn derive(&self, label: &[u8]) -> [u8; 32] {
        // A JWS signing input does not begin like this: no signature by HS256 is such a value.
        hmac_sha256(&self.private.bytes(), &[b"\0derived\0", label])
    }
}

fn certificate_der(text: &str) -> Result<Vec<u8>, BadSigningKey> {
    match pem::labels(text).as_slice() {
        [] => {
            let base64: String = text.split_ascii_whitespace().collect();
            let der = STANDARD.decode(base64);
            der.map_err(|_| Unusable::MalformedCertificate.into())
        }
        ["CERTIFICATE"] => Ok(pem::decode(text)?.1),
        [_] => Err(BadSigningKey::NotACertificate),
        _ => Err(Unusable::SeveralPemBlocks.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"correct horse battery staple, and more";

    /// RFC 8410, 10.3.
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

    fn ed25519() -> SigningKey {
        SigningKey::from_pem(ED25519, None, None).unwrap()
    }

    #[test]
    fn a_key_has_a_name_an_alg_and_a_public_half() {
        let key = ed25519();
        assert_eq!(key.alg(), Algorithm::EdDsa);
        assert_eq!(key.certificate(), None);
        let x = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";
        let mut jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        let kid = thumbprint(jwk.as_object().unwrap());
        assert_eq!(key.kid(), kid.as_deref());
        assert_eq!(key.given_kid(), None);
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!("EdDSA");
        jwk["use"] = json!("sig");
        assert_eq!(key.public_jwk(), Some(jwk.clone()));

        let key = SigningKey::from_pem(ED25519, Some("mine".to_owned()), None).unwrap();
        assert_eq!((key.kid(), key.given_kid()), (Some("mine"), Some("mine")));
        jwk["kid"] = json!("mine");
        assert_eq!(key.public_jwk(), Some(jwk));
    }

    #[test]
    fn a_secret_has_nothing_to_publish() {
        let key = SigningKey::from_secret(SECRET.to_vec(), None, None).unwrap();
        assert_eq!(key.alg(), Algorithm::Hs256);
        assert_eq!((key.kid(), key.public_jwk()), (None, None));
        let key = SigningKey::from_secret(SECRET.to_vec(), Some("s".to_owned()), None).unwrap();
        assert_eq!((key.kid(), key.public_jwk()), (Some("s"), None));
        let why = key.certified("AA").unwrap_err();
        assert_eq!(why, BadSigningKey::CertifiedSecret);
    }

    #[test]
    fn a_secret_is_long_enough_for_its_alg() {
        for (alg, least) in [
            (None, 32),
            (Some(Algorithm::Hs256), 32),
            (Some(Algorithm::Hs384), 48),
            (Some(Algorithm::Hs512), 64),
        ] {
            let of = |length| SigningKey::from_secret(vec![7; length], None, alg);
            let short = BadSigningKey::Unusable(Unusable::ShortSecret { least });
            assert_eq!(of(least - 1).unwrap_err(), short);
            assert_eq!(of(least).unwrap().alg(), alg.unwrap_or(Algorithm::Hs256));
        }
        let why = SigningKey::from_secret(vec![7; 64], None, Some(Algorithm::Rs256)).unwrap_err();
        assert_eq!(why, Unusable::UnsupportedAlgorithm.into());
        let pem = ED25519.as_bytes().to_vec();
        let why = SigningKey::from_secret(pem, None, None).unwrap_err();
        assert_eq!(why, Unusable::PemAsSecret.into());
    }

    #[test]
    fn derived_values_differ_by_key_and_label() {
        let secret = SigningKey::from_secret(SECRET.to_vec(), None, None).unwrap();
        let values = [
            ed25519().derive(b"one"),
            ed25519().derive(b"two"),
            ed25519().derive(b""),
            secret.derive(b"one"),
        ];
        for (index, value) in values.iter().enumerate() {
            assert!(!values[..index].contains(value));
        }
        assert_eq!(values[0], ed25519().derive(b"one"));
        // RFC 8032, 5.1.5: the seed is the key; it is in the PEM text's last 32 bytes.
        let der = STANDARD.decode(ED25519.lines().nth(1).unwrap()).unwrap();
        assert_eq!(values[0], hmac_sha256(&der[16..], &[b"\0derived\0one"]));
    }

    #[test]
    fn no_signature_is_a_derived_value() {
        let secret = SigningKey::from_secret(SECRET.to_vec(), None, None).unwrap();
        let signature = secret.sign(b"one", [0; 32], &NoHostSigner).unwrap();
        assert_ne!(signature, secret.derive(b"one"));
    }

    #[test]
    fn a_key_is_not_printed() {
        let secret = SigningKey::from_secret(SECRET.to_vec(), Some("k".to_owned()), None).unwrap();
        let printed = format!("{secret:?} {secret:#?} {:?} {:#?}", ed25519(), ed25519());
        // Neither as text nor as numbers: `c` is 99, the other key begins with d4 ee 72.
        for part in ["correct", "horse", "99", "0x63", "212, 238", "d4ee", "1O5y"] {
            assert!(!printed.contains(part), "{printed}");
        }
        assert!(printed.contains("SigningKey { alg: Hs256, kid: Some(\"k\"), .. }"));
    }
}
