//! A public key in PEM (RFC 7468): as it is (RFC 5280, 4.1.2.7), an RSA key by PKCS #1 (RFC 8017,
//! A.1.1), or the key of a certificate (RFC 5280, 4.1).

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::oid::db::{rfc5912, rfc8410};
use x509_cert::der::pem::Decoder;
use x509_cert::ext::pkix::KeyUsage;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Time;

use super::algorithm::Algorithm;
use super::key::{Material, Unusable, VerificationKey};
use crate::time::UnixMillis;

impl VerificationKey {
    /// Reads a public key from a PEM text that holds nothing else.
    ///
    /// # Errors
    /// [`Unusable`] says why this text is no key that verifies signatures.
    pub fn from_pem(
        text: &str,
        kid: Option<String>,
        alg: Option<Algorithm>,
    ) -> Result<Self, Unusable> {
        let (material, validity) = match only_block(text)? {
            ("PUBLIC KEY", der) => {
                let info = SubjectPublicKeyInfoOwned::from_der(&der);
                let info = info.map_err(|_| Unusable::Malformed)?;
                (public_key(&info)?, None)
            }
            ("RSA PUBLIC KEY", der) => (rsa_public_key(&der)?, None),
            ("CERTIFICATE", der) => {
                let (material, validity) = certified_key(&der)?;
                (material, Some(validity))
            }
            _ => return Err(Unusable::UnsupportedPemLabel),
        };
        let mut key = Self::new(material, kid, alg)?;
        key.validity = validity;
        Ok(key)
    }
}

/// What a block begins with; its label is next (RFC 7468, 2).
pub(super) const BEGIN: &str = "-----BEGIN ";

/// The label and the content of the only block. Which key is meant of several is not guessed.
fn only_block(text: &str) -> Result<(&str, Vec<u8>), Unusable> {
    let labels = labels(text);
    if labels.iter().any(|label| label.contains("PRIVATE KEY")) {
        return Err(Unusable::PrivateKey);
    }
    match labels.len() {
        0 => return Err(Unusable::NotPem),
        1 => {}
        _ => return Err(Unusable::SeveralPemBlocks),
    }
    decode(text)
}

/// The labels of all blocks that begin in a text (RFC 7468, 2), whether they end or not.
pub(super) fn labels(text: &str) -> Vec<&str> {
    let blocks = text.split(BEGIN).skip(1);
    let labels = blocks.map(|block| block.split_once("-----").map_or(block, |(label, _)| label));
    labels.collect()
}

/// The label and the content of the block that a text holds.
pub(super) fn decode(text: &str) -> Result<(&str, Vec<u8>), Unusable> {
    // Lines of any length: RFC 7468, 2, wants 64 characters, but a key is often on one line.
    let mut decoder =
        Decoder::new_detect_wrap(text.trim().as_bytes()).map_err(|_| Unusable::MalformedPem)?;
    let mut der = Vec::new();
    decoder
        .decode_to_end(&mut der)
        .map_err(|_| Unusable::MalformedPem)?;
    Ok((decoder.type_label(), der))
}

/// RFC 5280, 4.1.2.7, by the kind of key.
fn public_key(info: &SubjectPublicKeyInfoOwned) -> Result<Material, Unusable> {
    let key = info.subject_public_key.as_bytes();
    let key = key.ok_or(Unusable::Malformed)?;
    let parameters = info.algorithm.parameters.as_ref();
    match info.algorithm.oid {
        // RFC 3279, 2.3.1: the parameters are NULL.
        rfc5912::RSA_ENCRYPTION if parameters.is_some_and(|any| any.is_null()) => {
            rsa_public_key(key)
        }
        // RFC 5480, 2.1.1: a curve that is named. With one that the key defines itself, a forger
        // could choose the base point (CVE-2020-0601).
        rfc5912::ID_EC_PUBLIC_KEY => {
            let curve = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            match curve {
                Some(rfc5912::SECP_256_R_1) => Material::p256(key),
                Some(rfc5912::SECP_384_R_1) => Material::p384(key),
                Some(rfc5912::SECP_521_R_1) => Material::p521(key),
                _ => Err(Unusable::UnsupportedKeyType),
            }
        }
        // RFC 8410, 3: the parameters are absent.
        rfc8410::ID_ED_25519 if parameters.is_none() => Material::ed25519(key),
        rfc5912::RSA_ENCRYPTION | rfc8410::ID_ED_25519 => Err(Unusable::Malformed),
        _ => Err(Unusable::UnsupportedKeyType),
    }
}

/// RFC 8017, A.1.1: a SEQUENCE of two INTEGERs, the modulus and the exponent.
pub(super) fn rsa_public_key(der: &[u8]) -> Result<Material, Unusable> {
    let numbers = Vec::<UintRef<'_>>::from_der(der).map_err(|_| Unusable::Malformed)?;
    let [modulus, exponent] = numbers.as_slice() else {
        return Err(Unusable::Malformed);
    };
    Material::rsa(modulus.as_bytes(), exponent.as_bytes())
}

/// The key of a certificate that is for signatures, and its validity (RFC 5280, 4.1).
pub(super) fn certified_key(der: &[u8]) -> Result<(Material, (UnixMillis, UnixMillis)), Unusable> {
    let certificate = Certificate::from_der(der).map_err(|_| Unusable::MalformedCertificate)?;
    check_usage(&certificate)?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    Ok((public_key(info)?, validity(&certificate)?))
}

/// RFC 5280, 4.2.1.3: if the key's usage is stated, it must be signatures of something other than
/// certificates, as with `use` and `key_ops` of a JWK.
///
/// Nothing else is asked of a certificate: it was configured, and so is trusted itself, whoever
/// issued it.
fn check_usage(certificate: &Certificate) -> Result<(), Unusable> {
    let usage = certificate.tbs_certificate().get_extension::<KeyUsage>();
    let usage = usage.map_err(|_| Unusable::MalformedCertificate)?;
    let signs = |usage: KeyUsage| usage.digital_signature() || usage.non_repudiation();
    if usage.is_some_and(|(_, usage)| !signs(usage)) {
        return Err(Unusable::NotForSignatures);
    }
    Ok(())
}

/// RFC 5280, 4.1.2.5.
fn validity(certificate: &Certificate) -> Result<(UnixMillis, UnixMillis), Unusable> {
    let moment = |time: Time| {
        let millis = i64::try_from(time.to_unix_duration().as_millis());
        UnixMillis(millis.unwrap_or(i64::MAX))
    };
    let validity = certificate.tbs_certificate().validity();
    let (first, last) = (moment(validity.not_before), moment(validity.not_after));
    if first > last {
        return Err(Unusable::MalformedCertificate);
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, 10.1.
    const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

    /// RFC 8410, 10.3.
    const ED25519_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

    fn refusal(text: &str) -> Unusable {
        VerificationKey::from_pem(text, None, None).unwrap_err()
    }

    #[test]
    fn reads_a_public_key_however_its_lines_are_broken() {
        let body = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let (head, tail) = body.split_at(32);
        for text in [
            ED25519.to_owned(),
            ED25519.trim_end().to_owned(),
            ED25519.replace('\n', "\r\n"),
            ED25519.replace(body, &format!("{head}\n{tail}")),
            format!("\n  {ED25519}\n\n"),
            format!("Public-Key: (256 bit)\n{ED25519}"),
        ] {
            let key = VerificationKey::from_pem(&text, Some("k".to_owned()), None).unwrap();
            assert_eq!(key.kid.as_deref(), Some("k"));
            assert_eq!(key.validity, None);
            assert!(key.fits(Algorithm::EdDsa));
        }
    }

    #[test]
    fn an_alg_must_fit_the_key() {
        let read = |alg| VerificationKey::from_pem(ED25519, None, Some(alg)).map(|_| ());
        assert_eq!(read(Algorithm::EdDsa), Ok(()));
        for alg in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Hs256] {
            assert_eq!(read(alg), Err(Unusable::UnsupportedAlgorithm), "{alg}");
        }
    }

    #[test]
    fn a_private_key_is_refused_alone_or_in_company() {
        for label in [
            "RSA PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        ] {
            let text = ED25519_PRIVATE.replace("PRIVATE KEY", label);
            assert_eq!(refusal(&text), Unusable::PrivateKey, "{label}");
        }
        let (begin, _) = ED25519_PRIVATE.split_at(40);
        for text in [
            ED25519_PRIVATE,
            begin,
            &format!("{ED25519}{ED25519_PRIVATE}"),
            &format!("{ED25519_PRIVATE}{ED25519}"),
        ] {
            assert_eq!(refusal(text), Unusable::PrivateKey, "{text}");
        }
        // As the other label says, though it is none.
        let text = ED25519_PRIVATE.replace("PRIVATE KEY", "PUBLIC KEY");
        assert_eq!(refusal(&text), Unusable::Malformed);
    }

    #[test]
    fn exactly_one_block_is_read() {
        assert_eq!(
            refusal(&format!("{ED25519}{ED25519}")),
            Unusable::SeveralPemBlocks
        );
        for text in [
            "",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm/RAlphM3+hUG6wWfcO5bIUIaqMLa2ywxcOK1wMWbh",
            r#"{"kty":"OKP"}"#,
            "-----END PUBLIC KEY-----",
        ] {
            assert_eq!(refusal(text), Unusable::NotPem, "{text}");
        }
        for label in [
            "",
            "EC PARAMETERS",
            "CERTIFICATE REQUEST",
            "X509 CRL",
            "PKCS7",
        ] {
            let text = ED25519.replace("PUBLIC KEY", label);
            assert_eq!(refusal(&text), Unusable::UnsupportedPemLabel, "{label}");
        }
    }

    #[test]
    fn refuses_what_is_broken() {
        for text in [
            "-----BEGIN ".to_owned(),
            "-----BEGIN PUBLIC KEY".to_owned(),
            "-----BEGIN PUBLIC KEY-----".to_owned(),
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----".to_owned(),
            ED25519.replace("END PUBLIC", "END SECRET"),
            ED25519.replace("-----\nM", "-----\nProc-Type: 4,ENCRYPTED\n\nM"),
            ED25519.replace("xZuE=", "xZuE"),
            ED25519.replace("MCow", "MC*w"),
            ED25519.replace('\n', " "),
            ED25519.replace('\n', "\\n"),
            format!("{ED25519}and more"),
        ] {
            assert_eq!(refusal(&text), Unusable::MalformedPem, "{text}");
        }
        for (label, why) in [
            ("RSA PUBLIC KEY", Unusable::Malformed),
            ("CERTIFICATE", Unusable::MalformedCertificate),
        ] {
            let text = ED25519.replace("PUBLIC KEY", label);
            assert_eq!(refusal(&text), why, "{label}");
        }
        // The content, cut and lengthened.
        for body in [
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZg==",
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuEA",
            "AAAA",
        ] {
            let text = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
            assert_eq!(refusal(&text), Unusable::Malformed, "{body}");
        }
    }
}
