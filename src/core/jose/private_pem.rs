//! A private key in PEM (RFC 7468, 10 and 13): PKCS #8 (RFC 5958), PKCS #1 (RFC 8017, A.1.2) or
//! SEC 1 (RFC 5915).

use p256::elliptic_curve::zeroize::Zeroizing;
use p256::pkcs8::PrivateKeyInfoRef;
use rsa::pkcs1;
use x509_cert::der::asn1::{
    AnyRef, BitStringRef, ContextSpecific, ObjectIdentifier, OctetStringRef,
};
use x509_cert::der::oid::db::{rfc5912, rfc8410};
use x509_cert::der::{self, Decode, Reader, SliceReader, TagMode, TagNumber};

use super::algorithm::Algorithm;
use super::bad_signing_key::BadSigningKey;
use super::key::Unusable;
use super::pem;
use super::private_key::{PrivateKey, RsaNumbers, RsaPrimes};
use super::signing_key::SigningKey;

impl SigningKey {
    /// Reads a private key from a PEM text with exactly one: `PRIVATE KEY` (RSA, P-256, P-384,
    /// P-521, Ed25519), `RSA PRIVATE KEY` or `EC PRIVATE KEY`, the latter perhaps after
    /// `EC PARAMETERS`, as OpenSSL writes it.
    ///
    /// It signs by `alg`, or by RS256, ES256, ES384, ES512 or EdDSA, as its type is. It is named
    /// `kid`, or by its thumbprint.
    ///
    /// # Errors
    /// [`BadSigningKey`] says why this text is no key that signs.
    pub fn from_pem(
        text: &str,
        kid: Option<String>,
        alg: Option<Algorithm>,
    ) -> Result<Self, BadSigningKey> {
        let (label, der) = only_private_block(text)?;
        let private = match label {
            "PRIVATE KEY" => pkcs8(&der)?,
            "RSA PRIVATE KEY" => pkcs1(&der)?,
            "EC PRIVATE KEY" => sec1(&der, None)?,
            _ => return Err(BadSigningKey::UnsupportedPemLabel),
        };
        Self::new(private, kid, alg)
    }
}

/// The label and the content of the only private key.
fn only_private_block(text: &str) -> Result<(&str, Zeroizing<Vec<u8>>), BadSigningKey> {
    let labels = pem::labels(text);
    // RFC 1421, 4.6.1.1 and 4.6.1.3: how OpenSSL encrypts what is not PKCS #8.
    let is_encrypted = |text: &str| text.contains("Proc-Type:") || text.contains("DEK-Info:");
    match labels.as_slice() {
        [] => return Err(Unusable::NotPem.into()),
        ["ENCRYPTED PRIVATE KEY"] => return Err(BadSigningKey::Encrypted),
        ["PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE"] => return Err(BadSigningKey::NotPrivate),
        [_] | ["EC PARAMETERS", "EC PRIVATE KEY"] if is_encrypted(text) => {
            return Err(BadSigningKey::Encrypted);
        }
        [_] | ["EC PARAMETERS", "EC PRIVATE KEY"] => {}
        _ => return Err(BadSigningKey::SeveralPemBlocks),
    }
    // The parameters are in the key as well; there they count.
    let last = text.rfind(pem::BEGIN).and_then(|at| text.get(at..));
    let (label, der) = pem::decode(last.ok_or(Unusable::NotPem)?)?;
    Ok((label, Zeroizing::new(der)))
}

/// RFC 5958, 2, by the kind of key.
fn pkcs8(der: &[u8]) -> Result<PrivateKey, BadSigningKey> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| Unusable::Malformed)?;
    let key = info.private_key.as_bytes();
    let parameters = info.algorithm.parameters;
    let private = match info.algorithm.oid {
        // RFC 3279, 2.3.1: the parameters are NULL.
        rfc5912::RSA_ENCRYPTION if parameters.is_some_and(|any| any.is_null()) => pkcs1(key)?,
        rfc5912::ID_EC_PUBLIC_KEY => sec1(key, parameters)?,
        // RFC 8410, 3 and 7: the parameters are absent, the key is wrapped once more.
        rfc8410::ID_ED_25519 if parameters.is_none() => {
            let seed = <&OctetStringRef>::from_der(key).map_err(|_| Unusable::Malformed)?;
            PrivateKey::ed25519(seed.as_bytes())?
        }
        rfc5912::RSA_ENCRYPTION | rfc8410::ID_ED_25519 => return Err(Unusable::Malformed.into()),
        _ => return Err(Unusable::UnsupportedKeyType.into()),
    };
    if let Some(public) = info.public_key {
        private.check_public(public.as_bytes().ok_or(Unusable::Malformed)?)?;
    }
    Ok(private)
}

/// RFC 8017, A.1.2.
fn pkcs1(der: &[u8]) -> Result<PrivateKey, BadSigningKey> {
    let key = pkcs1::RsaPrivateKey::try_from(der).map_err(|_| Unusable::Malformed)?;
    if key.version() != pkcs1::Version::TwoPrime {
        return Err(BadSigningKey::MultiPrimeRsa);
    }
    PrivateKey::rsa(&RsaNumbers {
        n: key.modulus.as_bytes(),
        e: key.public_exponent.as_bytes(),
        d: key.private_exponent.as_bytes(),
        primes: Some(RsaPrimes {
            p: key.prime1.as_bytes(),
            q: key.prime2.as_bytes(),
            dp: Some(key.exponent1.as_bytes()),
            dq: Some(key.exponent2.as_bytes()),
            qi: Some(key.coefficient.as_bytes()),
        }),
    })
}

/// RFC 5915, 3. In PKCS #8 the curve stands outside; inside it may be left out, or agree.
fn sec1(der: &[u8], outside: Option<AnyRef<'_>>) -> Result<PrivateKey, BadSigningKey> {
    let key = EcPrivateKey::read(der).map_err(|_| Unusable::Malformed)?;
    let curve = match (outside, key.curve) {
        (Some(outside), Some(inside)) if outside != inside => {
            return Err(Unusable::Malformed.into());
        }
        (Some(curve), _) | (None, Some(curve)) => curve,
        (None, None) => return Err(BadSigningKey::NoCurve),
    };
    // RFC 5480, 2.1.1: a curve that is named, and not one that the key defines itself.
    let private = match curve.decode_as::<ObjectIdentifier>() {
        Ok(rfc5912::SECP_256_R_1) => PrivateKey::p256(key.scalar)?,
        Ok(rfc5912::SECP_384_R_1) => PrivateKey::p384(key.scalar)?,
        Ok(rfc5912::SECP_521_R_1) => PrivateKey::p521(key.scalar)?,
        _ => return Err(BadSigningKey::UnsupportedCurve),
    };
    if let Some(public) = key.public {
        private.check_public(public.as_bytes().ok_or(Unusable::Malformed)?)?;
    }
    Ok(private)
}

/// The ECPrivateKey of RFC 5915, 3, whatever its curve.
struct EcPrivateKey<'a> {
    scalar: &'a [u8],
    curve: Option<AnyRef<'a>>,
    public: Option<BitStringRef<'a>>,
}

impl<'a> EcPrivateKey<'a> {
    fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let key = reader.sequence(|reader: &mut SliceReader<'a>| {
            if u8::decode(reader)? != 1 {
                return Err(reader.error(der::ErrorKind::Failed));
            }
            let scalar = <&OctetStringRef>::decode(reader)?;
            let curve = ContextSpecific::<AnyRef<'a>>::decode_explicit(reader, TagNumber(0))?;
            let public = reader.context_specific(TagNumber(1), TagMode::Explicit)?;
            Ok(Self {
                scalar: scalar.as_bytes(),
                curve: curve.map(|curve| curve.value),
                public,
            })
        })?;
        reader.finish()?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// RFC 8410, 10.3: without and with its public key, and an attribute.
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
    const WITH_PUBLIC_KEY: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

    /// RFC 8410, 10.1.
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

    fn refusal(text: &str) -> BadSigningKey {
        SigningKey::from_pem(text, None, None).unwrap_err()
    }

    #[test]
    fn reads_a_private_key_however_its_lines_are_broken() {
        let expected = SigningKey::from_pem(ED25519, None, None)
            .unwrap()
            .public_jwk();
        for text in [
            WITH_PUBLIC_KEY.to_owned(),
            ED25519.trim_end().to_owned(),
            ED25519.replace('\n', "\r\n"),
            format!("\n  {ED25519}\n\n"),
            format!("Bag Attributes\n    friendlyName: k\n{ED25519}"),
        ] {
            let key = SigningKey::from_pem(&text, None, None).unwrap();
            assert_eq!(key.public_jwk(), expected);
        }
    }

    #[test]
    fn the_public_key_beside_it_is_its_own() {
        // Of RFC 8037, A.1.
        let other = "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEA11qYAYKxCrfVS/7T\nyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let (start, _) = WITH_PUBLIC_KEY.split_at(WITH_PUBLIC_KEY.find("oB8w").unwrap());
        let text = format!("{start}{other}\n-----END PRIVATE KEY-----\n");
        assert_eq!(refusal(&text), BadSigningKey::OtherPublicKey);
    }

    #[test]
    fn an_alg_must_fit_the_key() {
        let read = |alg| SigningKey::from_pem(ED25519, None, Some(alg)).map(|key| key.alg());
        for alg in Algorithm::ALL {
            let expected = match alg {
                Algorithm::EdDsa => Ok(alg),
                _ => Err(Unusable::UnsupportedAlgorithm.into()),
            };
            assert_eq!(read(alg), expected, "{alg}");
        }
    }

    #[test]
    fn exactly_one_private_key_is_read() {
        for text in [
            "",
            "nonsense",
            r#"{"kty":"OKP"}"#,
            "-----END PRIVATE KEY-----",
        ] {
            assert_eq!(refusal(text), Unusable::NotPem.into(), "{text}");
        }
        for text in [
            format!("{ED25519}{ED25519}"),
            format!("{ED25519}{PUBLIC}"),
            format!("{PUBLIC}{ED25519}"),
            format!("{PUBLIC}{PUBLIC}"),
            // Parameters belong to the other form.
            format!(
                "{}{ED25519}",
                ED25519.replace("PRIVATE KEY", "EC PARAMETERS")
            ),
        ] {
            assert_eq!(refusal(&text), BadSigningKey::SeveralPemBlocks, "{text}");
        }
        for label in ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"] {
            let text = ED25519.replace("PRIVATE KEY", label);
            assert_eq!(refusal(&text), BadSigningKey::NotPrivate, "{label}");
        }
        for label in [
            "",
            "EC PARAMETERS",
            "DSA PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "X509 CRL",
        ] {
            let text = ED25519.replace("PRIVATE KEY", label);
            assert_eq!(
                refusal(&text),
                BadSigningKey::UnsupportedPemLabel,
                "{label}"
            );
        }
    }

    #[test]
    fn refuses_what_is_encrypted_and_what_is_broken() {
        for text in [
            ED25519.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            ED25519.replace("-----\nM", "-----\nProc-Type: 4,ENCRYPTED\n\nM"),
            ED25519.replace("-----\nM", "-----\nDEK-Info: AES-256-CBC,00\n\nM"),
        ] {
            assert_eq!(refusal(&text), BadSigningKey::Encrypted, "{text}");
        }
        for text in [
            "-----BEGIN ".to_owned(),
            "-----BEGIN PRIVATE KEY".to_owned(),
            "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".to_owned(),
            ED25519.replace("END PRIVATE", "END SECRET"),
            ED25519.replace("MC4C", "MC*C"),
            ED25519.replace('\n', " "),
            format!("{ED25519}and more"),
        ] {
            assert_eq!(refusal(&text), Unusable::MalformedPem.into(), "{text}");
        }
        // A form that it is not.
        for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let text = ED25519.replace("PRIVATE KEY", label);
            assert_eq!(refusal(&text), Unusable::Malformed.into(), "{label}");
        }
    }

    #[test]
    fn every_byte_of_the_content_has_its_place() {
        let (_, der) = pem::decode(ED25519).unwrap();
        let der = der.as_slice();
        let refusal = |der: &[u8]| {
            let body = STANDARD.encode(der);
            refusal(&format!(
                "-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
            ))
        };
        let seed = &der[16..];
        let with_parameters = [
            &[0x30, 48, 2, 1, 0, 0x30, 7],
            &der[7..12],
            &[5, 0],
            &der[12..],
        ];
        for der in [
            der[..47].to_vec(),
            [der, &[0]].concat(),
            // A seed that is too short, and one that is not wrapped.
            [&[0x30, 45], &der[2..12], &[4, 33, 4, 31], &seed[1..]].concat(),
            [&[0x30, 44], &der[2..12], &[4, 32], seed].concat(),
            with_parameters.concat(),
        ] {
            assert_eq!(refusal(&der), Unusable::Malformed.into(), "{der:x?}");
        }
        let x25519 = [&der[..11], &[110], &der[12..]].concat();
        assert_eq!(refusal(&x25519), Unusable::UnsupportedKeyType.into());
    }
}
