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
        // `http` takes ports that no host has, and reads them as none.
        let has_port = authority.as_str() != authority.host();
        if has_port && !matches!(authority.port_u16(), Some(1..)) {
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

/// Whether a callout's target is an address in the network: `host`, `host:port`, `[IPv6]:port`, or
/// `unix:/path`. Anything else is a trap on Kong's host.
#[must_use]
pub fn is_network_address(target: &str) -> bool {
    if let Some(path) = target.strip_prefix("unix:") {
        return path.len() > 1
            && path.starts_with('/')
            && path.bytes().all(|b| b.is_ascii_graphic());
    }
    let (host, port) = match target.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                (address, rest)
            }
            _ => return false,
        },
        None => target.split_at(target.find(':').unwrap_or(target.len())),
    };
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    !host.is_empty()
        && host.bytes().all(plain)
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
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
            "http://kc:0/",
            "http://kc:65536/",
        ] {
            assert_eq!(HttpUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn network_addresses() {
        for good in [
            "kc",
            "kc.example.com:8080",
            "my_kc:1",
            "10.0.0.1:65535",
            "[::1]",
            "[2001:db8::1]:443",
            "unix:/run/kc.sock",
        ] {
            assert!(is_network_address(good), "{good}");
        }
        for bad in [
            "",
            ":80",
            "kc:",
            "kc:0",
            "kc:65536",
            "kc:+80",
            "kc:80:80",
            "kc/path",
            "http://kc",
            "k c",
            "outbound|80||kc",
            "[::1",
            "[kc]:80",
            "[::1]80",
            "::1",
            "unix:",
            "unix:/",
            "unix:run",
        ] {
            assert!(!is_network_address(bad), "{bad}");
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
