//! What is done to a request before it goes up: header fields changed, properties set.

use std::fmt;

use jwt_keycloak_core::gate::Forward;
use jwt_keycloak_core::request::HeaderEdit;
use proxy_wasm::types::MapType;

use crate::abi::{self, HostError};
use crate::host::{Host, Properties};

/// Why a request cannot be made what has to go up. It is refused then.
pub enum Failed {
    Host(HostError),
    /// The host would change one of several fields of this name only.
    SeveralFields(String),
    /// The host does not change the path that goes up.
    Path,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => write!(f, "{error:?}"),
            Self::SeveralFields(name) => write!(f, "several fields {name}"),
            Self::Path => f.write_str("the path cannot be changed here"),
        }
    }
}

impl From<HostError> for Failed {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// Changes the effective context's request.
pub fn prepare(forward: &Forward, host: Host) -> Result<(), Failed> {
    for edit in &forward.headers {
        match edit {
            HeaderEdit::Set(name, _) if name == ":path" && !host.edits_path => {
                return Err(Failed::Path);
            }
            HeaderEdit::Set(name, value) if host.edits_headers => abi::set_header(name, value)?,
            HeaderEdit::Remove(name) if host.edits_headers => abi::remove_header(name)?,
            HeaderEdit::Set(name, value) => {
                at_most_one(name)?;
                abi::set_header(name, value)?;
            }
            // What cannot be taken away is made to say nothing.
            HeaderEdit::Remove(name) => {
                if at_most_one(name)? {
                    abi::set_header(name, b"")?;
                }
            }
        }
    }
    for (name, value) in &forward.properties {
        set_property(name, value, host)?;
    }
    Ok(())
}

/// Whether a field of this name is there; an error if there are several.
fn at_most_one(name: &str) -> Result<bool, Failed> {
    let fields = abi::headers(MapType::HttpRequestHeaders)?;
    let same = |(field, _): &&(Vec<u8>, Vec<u8>)| field.eq_ignore_ascii_case(name.as_bytes());
    match fields.iter().filter(same).count() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failed::SeveralFields(name.to_owned())),
    }
}

fn set_property(name: &str, value: &[u8], host: Host) -> Result<(), HostError> {
    match host.properties {
        Properties::FilterState => {
            let arguments = filter_state(&format!("jwt_keycloak.{name}"), value);
            abi::call_foreign_function("set_envoy_filter_state", &arguments).map(|_| ())
        }
        Properties::SharedContext => {
            let name = format!("jwt_keycloak_{name}");
            abi::set_property(&["kong", "ctx", "shared", &name], value)
        }
    }
}

/// Envoy's message `SetEnvoyFilterStateArguments`: path and value, fields 1 and 2, texts.
fn filter_state(path: &str, value: &[u8]) -> Vec<u8> {
    const PATH: u8 = 0x0a;
    const VALUE: u8 = 0x12;
    let mut message = Vec::new();
    for (tag, text) in [(PATH, path.as_bytes()), (VALUE, value)] {
        message.push(tag);
        let mut length = text.len();
        while length >= 0x80 {
            message.push(0x80 | u8::try_from(length & 0x7f).unwrap_or_default());
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or_default());
        message.extend(text);
    }
    message
}
