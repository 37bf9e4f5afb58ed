//! An OpenID Provider's metadata (OpenID Connect Discovery 1.0, 3 and 4; RFC 8414).

use serde_json::Value;

use super::source::{HttpUrl, KeySource, Location};
use crate::json::{self, Limits};

/// Keycloak's document has 6.5 kB.
pub const MAX_BYTES: usize = 64 * 1024;

const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    depth: 8,
};

/// What a discovery document says that matters here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metadata {
    pub jwks_uri: HttpUrl,
    pub endpoints: Endpoints,
}

/// Addresses at which an issuer is asked about tokens.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Endpoints {
    /// RFC 7662, 2.
    pub introspection: Option<HttpUrl>,
    /// RFC 6749, 3.2.
    pub token: Option<HttpUrl>,
    /// UMA 2.0 Federated Authorization, 4.
    pub permission: Option<HttpUrl>,
}

/// Takes addresses from a discovery document.
///
/// # Errors
/// In words for the log, when it is no such document, speaks for another issuer, or sends from
/// https to http.
pub fn read(document: &[u8], iss: &str, source: &KeySource) -> Result<Metadata, String> {
    let document = json::parse_object(document, LIMITS)
        .map_err(|error| format!("not a discovery document: {error}"))?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let Location::Discovery(asked) = &source.location else {
        return Err("no discovery was asked for".to_owned());
    };
    // OpenID Connect Discovery 1.0, 4.3: it must name the issuer. Where the configuration gives
    // the document another address (an internal one, say), Keycloak may name that one instead.
    let named = text("issuer").ok_or("the discovery document names no issuer")?;
    let names_its_address = || {
        named
            .strip_suffix('/')
            .unwrap_or(named)
            .parse::<http::Uri>()
            .is_ok_and(|uri| {
                let path = uri.path().strip_suffix('/').unwrap_or(uri.path());
                let rest = asked.path.strip_prefix(path);
                uri.scheme_str() == Some(asked.scheme())
                    && uri
                        .authority()
                        .is_some_and(|authority| authority.as_str() == asked.authority)
                    && rest.is_some_and(|rest| rest.starts_with("/.well-known/"))
            })
    };
    if named != iss && (source.own_address || !names_its_address()) {
        return Err("the discovery document speaks for another issuer".to_owned());
    }
    let jwks_uri = text("jwks_uri").ok_or("the discovery document has no jwks_uri")?;
    let jwks_uri = HttpUrl::parse(jwks_uri).ok_or("the jwks_uri is not an http or https URL")?;
    if asked.https && !jwks_uri.https {
        return Err("the jwks_uri leads from https to http".to_owned());
    }
    // Others can do without these; nobody is asked over http what was found over https.
    let endpoint = |name: &str| {
        let url = HttpUrl::parse(text(name)?)?;
        (url.https || !asked.https).then_some(url)
    };
    Ok(Metadata {
        jwks_uri,
        endpoints: Endpoints {
            introspection: endpoint("introspection_endpoint"),
            token: endpoint("token_endpoint"),
            permission: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(url: &str, own_address: bool) -> KeySource {
        KeySource {
            location: Location::Discovery(HttpUrl::parse(url).unwrap()),
            target: None,
            own_address,
        }
    }

    fn read(document: &Value, source: &KeySource) -> Result<String, String> {
        let document = document.to_string();
        let read = super::read(document.as_bytes(), "https://public/realms/a", source);
        read.map(|metadata| metadata.jwks_uri.to_string())
    }

    #[test]
    fn names_the_issuer_and_its_key_set() {
        let own = source(
            "https://public/realms/a/.well-known/openid-configuration",
            true,
        );
        let good = json!({"issuer": "https://public/realms/a", "jwks_uri": "https://public/keys"});
        assert_eq!(read(&good, &own).unwrap(), "https://public/keys");
        for bad in [
            json!({"jwks_uri": "https://public/keys"}),
            json!({"issuer": "https://public/realms/a/", "jwks_uri": "https://public/keys"}),
            json!({"issuer": "https://public/realms/b", "jwks_uri": "https://public/keys"}),
            json!({"issuer": "https://public/realms/a"}),
            json!({"issuer": "https://public/realms/a", "jwks_uri": "keys"}),
            json!({"issuer": "https://public/realms/a", "jwks_uri": "http://public/keys"}),
            json!([]),
        ] {
            assert!(read(&bad, &own).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_internal_address_may_name_itself_but_no_third_issuer() {
        let internal = source(
            "http://kc:8080/realms/a/.well-known/openid-configuration",
            false,
        );
        let document = |issuer: &str| json!({"issuer": issuer, "jwks_uri": "http://kc:8080/keys"});
        assert!(read(&document("https://public/realms/a"), &internal).is_ok());
        assert!(read(&document("http://kc:8080/realms/a"), &internal).is_ok());
        assert!(read(&document("http://kc:8080/realms/b"), &internal).is_err());
        assert!(read(&document("http://kc:8080/realms"), &internal).is_err());
        assert!(read(&document("https://other/realms/a"), &internal).is_err());
    }
}
