//! What is done to a request before it goes up: header fields changed, properties set.

use std::fmt;

use jwt_keycloak_core::gate::Forward;
use jwt_keycloak_core::request::{Field, HeaderEdit};
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
    // Only where it matters how many fields of a name there are, and then once.
    let fields = if host.edits_headers || forward.headers.is_empty() {
        Vec::new()
    } else {
        abi::headers(MapType::HttpRequestHeaders)?
    };
    for edit in &forward.headers {
        match edit {
            HeaderEdit::Set(name, _) if name == ":path" && !host.edits_path => {
                return Err(Failed::Path);
            }
            HeaderEdit::Set(name, value) if host.edits_headers => abi::set_header(name, value)?,
            HeaderEdit::Remove(name) if host.edits_headers => abi::remove_header(name)?,
            HeaderEdit::Set(name, value) => {
                at_most_one(name, &fields)?;
                abi::set_header(name, value)?;
            }
            // What cannot be taken away is made to say nothing.
            HeaderEdit::Remove(name) => {
                if at_most_one(name, &fields)? {
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
fn at_most_one(name: &str, fields: &[Field]) -> Result<bool, Failed> {
    let same = |(field, _): &&Field| field.eq_ignore_ascii_case(name.as_bytes());
    match fields.iter().filter(same).count() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failed::SeveralFields(name.to_owned())),
    }
}

fn set_property(name: &str, value: &[u8], host: Host) -> Result<(), HostError> {
    match host.properties {
        // Envoy puts `wasm.` before it.
        Properties::FilterState => abi::set_property(&[&format!("jwt_keycloak.{name}")], value),
        Properties::SharedContext => {
            let name = format!("jwt_keycloak_{name}");
            abi::set_property(&["kong", "ctx", "shared", &name], value)
        }
    }
}
