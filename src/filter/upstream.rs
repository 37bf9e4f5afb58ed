//! What is done to a request before it goes up: header fields changed, properties set.

use std::fmt;
use std::rc::Rc;

use jwt_keycloak_core::gate::{Forward, Head};
use jwt_keycloak_core::refusal::Reason;
use jwt_keycloak_core::request::HeaderEdit;
use jwt_keycloak_core::request::fields::Fields;
use jwt_keycloak_core::upstream_jwt::unsigned::Unsigned;

use crate::abi;
use crate::host::{Host, Properties};
use crate::signer::{request_entropy, signer};
use crate::types::{HostError, MapType};

/// Stands for what cannot be removed. It is no credential of any scheme, and no cookie.
const HIDDEN: &[u8] = b"-";

/// Why a request cannot be made what has to go up. It is refused then.
pub enum Failed {
    Host(HostError),
    Signing,
    /// The host cannot do this to a field of this name for sure.
    Field(String),
    /// The host does not change the path that goes up.
    Path,
}

impl Failed {
    pub fn reason(&self) -> Reason {
        match self {
            Self::Field(_) => Reason::ProtectedHeader,
            Self::Signing => Reason::SigningFailed,
            Self::Host(_) | Self::Path => Reason::Internal,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => write!(f, "{error:?}"),
            Self::Signing => f.write_str("its JWT cannot be signed"),
            Self::Field(name) => write!(f, "the field {name:?} cannot be changed here"),
            Self::Path => f.write_str("the path cannot be changed here"),
        }
    }
}

impl From<HostError> for Failed {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// Changes the effective context's request, which goes up.
pub fn prepare(forward: &Forward, host: Host) -> Result<(), Failed> {
    let sign = |jwt: &Unsigned| jwt.sign(|| request_entropy(host), signer(host));
    let jwt = forward.jwt.as_ref().map(sign).transpose();
    let jwt = jwt.map_err(|_| Failed::Signing)?;
    // The gateway's own comes last, over whatever else its header was to say.
    change(
        forward.head.headers().chain(&jwt),
        &forward.head.told.properties,
        host,
    )
}

/// Changes the effective context's request before its head is let go. Filters behind this one see it so.
pub fn prepare_head(head: &Head, host: Host) -> Result<(), Failed> {
    change(head.headers(), &head.told.properties, host)
}

fn change<'e>(
    edits: impl Iterator<Item = &'e HeaderEdit>,
    properties: &[(Rc<str>, Vec<u8>)],
    host: Host,
) -> Result<(), Failed> {
    let mut edits = edits.peekable();
    if host.abilities.removes_headers {
        edit(edits)?;
    } else if edits.peek().is_some() {
        overwrite(edits, &abi::headers(MapType::HttpRequestHeaders)?)?;
    }
    for (name, value) in properties {
        set_property(name, value, host)?;
    }
    Ok(())
}

fn edit<'e>(edits: impl Iterator<Item = &'e HeaderEdit>) -> Result<(), Failed> {
    for edit in edits {
        match edit {
            HeaderEdit::Set(name, value) => abi::set_header(name, value)?,
            HeaderEdit::Remove(name) | HeaderEdit::Hide(name) => abi::remove_header(name)?,
        }
    }
    Ok(())
}

/// The same where nothing can be removed and of several fields one is replaced. The core has refused
/// what cannot be done; this is where it would show.
fn overwrite<'e>(
    edits: impl Iterator<Item = &'e HeaderEdit>,
    fields: &Fields,
) -> Result<(), Failed> {
    for edit in edits {
        match edit {
            HeaderEdit::Set(name, _) if name.starts_with(':') => return Err(Failed::Path),
            // Set to nothing is removed, and so not removed.
            HeaderEdit::Set(name, value) if value.is_empty() => {
                if is_there(name, fields)? {
                    return Err(Failed::Field(name.to_string()));
                }
            }
            HeaderEdit::Set(name, value) => {
                is_there(name, fields)?;
                abi::set_header(name, value)?;
            }
            HeaderEdit::Hide(name) => {
                if is_there(name, fields)? {
                    abi::set_header(name, HIDDEN)?;
                }
            }
            HeaderEdit::Remove(name) => {
                if is_there(name, fields)? {
                    return Err(Failed::Field(name.to_string()));
                }
            }
        }
    }
    Ok(())
}

/// Whether a field of this name is there; an error if there are several.
fn is_there(name: &str, fields: &Fields) -> Result<bool, Failed> {
    match fields.values(name).count() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failed::Field(name.to_owned())),
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
