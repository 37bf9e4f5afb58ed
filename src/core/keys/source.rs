//! Where an issuer's keys are fetched from.

use http::Uri;

/// An `http` or `https` URL, taken apart as a callout needs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpUrl {
    pub https: bool,
    /// Host and port, as written.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// What a callout needs to know to fetch an issuer's keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySource {
    pub location: Location,
    /// The callout's target, where it is not the URL's authority: an Envoy cluster or host:port.
    pub target: Option<String>,
    /// Whether the discovery document's address is the issuer's own, so that the document must
    /// name the issuer exactly.
    pub own_address: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// An OpenID Provider's metadata, which name the key set's address.
    Discovery(HttpUrl),
    JwkSet(HttpUrl),
}

impl HttpUrl {
    /// Parses a URL; `None` if it is not absolute, not http or https, or has user information.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return None;
        }
        Some(Self {
            https,
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }

    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.path)
    }
}

impl KeySource {
    /// Names the source completely: two sources with one identity fetch the same thing the same
    /// way, so that what one of them fetched serves the other.
    #[must_use]
    pub fn identity(&self, iss: &str) -> String {
        let (kind, url) = match &self.location {
            Location::Discovery(url) => ("discovery", url),
            Location::JwkSet(url) => ("jwks", url),
        };
        let target = self.target.as_deref().unwrap_or_default();
        format!("{iss}\n{kind}\n{url}\n{target}\n{}", self.own_address)
    }

    /// Where a callout to `url` goes.
    #[must_use]
    pub fn target_of<'a>(&'a self, url: &'a HttpUrl) -> &'a str {
        self.target.as_deref().unwrap_or(&url.authority)
    }
}

/// Applies `well_known_template` to an issuer. A `/` at the issuer's end is dropped where another
/// follows (OpenID Connect Discovery 1.0, 4.1).
#[must_use]
pub fn well_known_uri(template: &str, iss: &str) -> String {
    let iss = if template.contains("%s/") {
        iss.strip_suffix('/').unwrap_or(iss)
    } else {
        iss
    };
    template.replace("%s", iss)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = HttpUrl::parse("https://kc:8443/realms/a?b=c").unwrap();
        assert!(url.https);
        assert_eq!(
            (url.authority.as_str(), url.path.as_str()),
            ("kc:8443", "/realms/a?b=c")
        );
        assert_eq!(HttpUrl::parse("http://kc").unwrap().path, "/");
        assert_eq!(
            HttpUrl::parse("http://[::1]:80/x").unwrap().authority,
            "[::1]:80"
        );
        for bad in [
            "",
            "kc",
            "/path",
            "ftp://kc/",
            "https://",
            "https://u@kc/",
            "http://k c/",
        ] {
            assert_eq!(HttpUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn well_known() {
        let template = "%s/.well-known/openid-configuration";
        assert_eq!(
            well_known_uri(template, "https://a/r"),
            "https://a/r/.well-known/openid-configuration"
        );
        assert_eq!(
            well_known_uri(template, "https://a/r/"),
            "https://a/r/.well-known/openid-configuration"
        );
        assert_eq!(well_known_uri("http://kc/x", "https://a"), "http://kc/x");
    }
}
