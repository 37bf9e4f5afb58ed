//! Reads JSON members by type and collects every fault, each with its JSON path.
//!
//! Kong hands over JSON that is not what the user wrote: an empty list arrives as `{}`, an
//! integer as a float. Both are taken for what they were. `null` is an absent member.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::time::Millis;

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Such as `$.issuers[1].jwks_uri`.
    pub path: String,
    pub found: String,
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: found {}; allowed: {}",
            self.path, self.found, self.allowed
        )
    }
}

/// Where faults and warnings gather while a configuration is read.
#[derive(Debug, Default)]
pub struct Findings {
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<String>>,
}

impl Findings {
    /// Notes a fault, once: what policies inherit is read again for each of them.
    pub fn fault(&self, path: &str, found: impl Into<String>, allowed: impl Into<String>) {
        let fault = Fault {
            path: path.to_owned(),
            found: found.into(),
            allowed: allowed.into(),
        };
        let mut faults = self.faults.borrow_mut();
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    /// Notes a warning, once.
    pub fn warning(&self, path: &str, text: impl fmt::Display) {
        let warning = format!("{path}: {text}");
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    #[must_use]
    pub fn into_parts(self) -> (Vec<Fault>, Vec<String>) {
        (self.faults.into_inner(), self.warnings.into_inner())
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub path: String,
    pub value: T,
}

/// The members of one object, each of which is asked for by name; what was never asked for is
/// unknown. Laid over others, it inherits what it does not state.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    /// Where the object stands; of several, the uppermost.
    pub path: String,
    layers: Vec<Rc<Layer<'a>>>,
    findings: &'a Findings,
}

#[derive(Debug)]
struct Layer<'a> {
    path: String,
    members: &'a Map<String, Value>,
    asked: RefCell<Vec<&'static str>>,
    /// Known, and not to be had here: a fault has said so.
    refused: RefCell<Vec<&'static str>>,
}

impl<'a> Members<'a> {
    /// Opens an object; `None`, with a fault, for anything else.
    pub fn open(path: &str, value: &'a Value, findings: &'a Findings) -> Option<Self> {
        let Some(members) = value.as_object() else {
            findings.fault(path, describe(value), "an object");
            return None;
        };
        let layer = Layer {
            path: path.to_owned(),
            members,
            asked: RefCell::default(),
            refused: RefCell::default(),
        };
        Some(Self {
            path: path.to_owned(),
            layers: vec![Rc::new(layer)],
            findings,
        })
    }

    /// These members, and where they have none, those of `base`.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self {
            path: self.path.clone(),
            layers: [self.layers.as_slice(), base.layers.as_slice()].concat(),
            findings: self.findings,
        }
    }

    /// Members of nothing, for what inherits everything.
    #[must_use]
    pub fn nothing(&self) -> Self {
        Self {
            layers: Vec::new(),
            ..self.clone()
        }
    }

    /// The members of `middle` laid between the uppermost of these and the rest.
    #[must_use]
    pub fn between(&self, middle: &Self) -> Self {
        let (first, rest) = self.layers.split_at(self.layers.len().min(1));
        // The top's own policy is no layer of its own: it comes after the middle.
        let (above, below) = if rest.is_empty() {
            (rest, first)
        } else {
            (first, rest)
        };
        Self {
            path: self.path.clone(),
            layers: [above, middle.layers.as_slice(), below].concat(),
            findings: self.findings,
        }
    }

    pub fn string(&self, name: &'static str) -> Option<At<String>> {
        let At { path, value } = self.get(name)?;
        self.non_empty(path, value)
    }

    /// A list of strings; one string alone counts as a list of one.
    pub fn strings(&self, name: &'static str) -> Option<Vec<At<String>>> {
        let items = self.list_or_one(name, Value::is_string, "a list of strings")?;
        Some(
            items
                .into_iter()
                .filter_map(|item| self.non_empty(item.path, item.value))
                .collect(),
        )
    }

    /// A list of strings, each of which `parse` must take.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.strings(name)?;
        let parsed = items.into_iter().filter_map(|At { path, value }| {
            let parsed = parse(&value);
            if parsed.is_none() {
                self.findings.fault(&path, quote(&value), allowed);
            }
            parsed
        });
        Some(parsed.collect())
    }

    /// The items of a list, whatever they are; a value of which `is_one` holds stands for a list
    /// of itself.
    pub fn list_or_one(
        &self,
        name: &'static str,
        is_one: impl Fn(&Value) -> bool,
        allowed: &str,
    ) -> Option<Vec<At<&'a Value>>> {
        let At { path, value } = self.get(name)?;
        if is_one(value) {
            return Some(vec![At { path, value }]);
        }
        self.list(&path, value, allowed)
    }

    /// The items of a list, whatever they are.
    pub fn list_of(&self, name: &'static str, allowed: &str) -> Option<Vec<At<&'a Value>>> {
        self.list_or_one(name, |_| false, allowed)
    }

    /// A list of objects; none if it is not there.
    pub fn objects(&self, name: &'static str) -> Vec<Self> {
        self.list_of(name, "a list of objects")
            .into_iter()
            .flatten()
            .filter_map(|item| Self::open(&item.path, item.value, self.findings))
            .collect()
    }

    /// An object of any members, with their names and places.
    pub fn named_values(&self, name: &'static str) -> Option<Vec<(String, At<&'a Value>)>> {
        let At { path, value } = self.get(name)?;
        if value.as_array().is_some_and(Vec::is_empty) {
            return Some(Vec::new());
        }
        let Some(object) = value.as_object() else {
            self.findings
                .fault(&path, describe(value), "an object of named members");
            return None;
        };
        let at = |(name, value): (&String, &'a Value)| {
            let path = join(&path, name);
            (name.clone(), At { path, value })
        };
        Some(object.iter().map(at).collect())
    }

    /// An object whose members are objects, with their names.
    pub fn named_objects(&self, name: &'static str) -> Vec<(String, Self)> {
        self.named_values(name)
            .into_iter()
            .flatten()
            .filter_map(|(name, At { path, value })| {
                Self::open(&path, value, self.findings).map(|members| (name, members))
            })
            .collect()
    }

    /// The members of an object that lies over objects of the same name further down. `false` stands
    /// for none, and nothing below it counts.
    pub fn layered_object(&self, name: &'static str) -> Option<Self> {
        let mut found: Option<Self> = None;
        for layer in &self.layers {
            layer.asked.borrow_mut().push(name);
        }
        for layer in &self.layers {
            let value = layer.members.get(name).filter(|value| !value.is_null());
            match value {
                None => {}
                Some(Value::Bool(false)) => break,
                Some(value) => {
                    let own = Self::open(&join(&layer.path, name), value, self.findings);
                    found = match (found, own) {
                        (Some(above), Some(own)) => Some(above.over(&own)),
                        (above, own) => above.or(own),
                    };
                }
            }
        }
        found
    }

    /// The uppermost object's own members, without what it inherits.
    #[must_use]
    pub fn uppermost(&self) -> Self {
        Self {
            layers: self.layers.iter().take(1).cloned().collect(),
            ..self.clone()
        }
    }

    /// Whether the uppermost object states one of these itself.
    #[must_use]
    pub fn states(&self, names: &[&str]) -> bool {
        let states = |layer: &Rc<Layer>| names.iter().any(|name| layer.members.contains_key(*name));
        self.layers.first().is_some_and(states)
    }

    pub fn boolean(&self, name: &'static str) -> Option<bool> {
        let At { path, value } = self.get(name)?;
        if value.as_bool().is_none() {
            self.findings.fault(&path, describe(value), "true or false");
        }
        value.as_bool()
    }

    /// One of some words.
    pub fn choice<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let At { path, value } = self.get(name)?;
        let chosen = words.iter().find(|(word, _)| value == word);
        if chosen.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let allowed = format!("one of {}", words.join(", "));
            self.findings.fault(&path, describe(value), allowed);
        }
        chosen.map(|(_, meaning)| *meaning)
    }

    /// Seconds, with a fraction if need be.
    pub fn seconds(&self, name: &'static str, range: RangeInclusive<f64>) -> Option<Millis> {
        let seconds = self.number(name, range, "seconds")?;
        // In range by the check above, far below u32's.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(Millis((seconds * 1000.0).round() as u32))
    }

    /// A whole number of bytes.
    pub fn bytes(&self, name: &'static str, range: RangeInclusive<f64>) -> Option<usize> {
        self.count(name, range, "bytes")
    }

    /// A whole number of something.
    pub fn count(
        &self,
        name: &'static str,
        range: RangeInclusive<f64>,
        unit: &str,
    ) -> Option<usize> {
        let count = self.number(name, range, unit)?;
        if count.fract() != 0.0 {
            self.fault(name, count.to_string(), format!("a whole number of {unit}"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(count as usize)
    }

    /// A member as it stands.
    pub fn get(&self, name: &'static str) -> Option<At<&'a Value>> {
        for layer in &self.layers {
            layer.asked.borrow_mut().push(name);
        }
        self.layers.iter().find_map(|layer| {
            let value = layer.members.get(name).filter(|value| !value.is_null())?;
            let path = join(&layer.path, name);
            Some(At { path, value })
        })
    }

    /// Notes a fault at a member, where it stands or should stand.
    pub fn fault(&self, name: &str, found: impl Into<String>, allowed: impl Into<String>) {
        let stated = |layer: &&Rc<Layer>| layer.members.contains_key(name);
        let path = self
            .layers
            .iter()
            .find(stated)
            .map_or(&self.path, |layer| &layer.path);
        self.findings.fault(&join(path, name), found, allowed);
    }

    #[must_use]
    pub fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The names of the uppermost object's members that were asked for, each once.
    #[must_use]
    pub fn asked(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for name in self
            .layers
            .first()
            .iter()
            .flat_map(|l| l.asked.borrow().clone())
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Notes a member of the uppermost object that is known elsewhere and not taken here.
    pub fn refuse(&self, name: &'static str, found: &str, allowed: &str) {
        let states = |layer: &&Rc<Layer>| layer.members.get(name).is_some_and(|v| !v.is_null());
        if let Some(layer) = self.layers.first().filter(states) {
            layer.refused.borrow_mut().push(name);
            self.findings
                .fault(&join(&layer.path, name), found, allowed);
        }
    }

    /// Notes those members of the uppermost object that nothing asked for.
    pub fn finish(&self) {
        let asked = self.asked();
        for name in self.layers.first().iter().flat_map(|l| l.members.keys()) {
            let was_refused = |layer: &Rc<Layer>| layer.refused.borrow().contains(&name.as_str());
            if !asked.contains(&name.as_str()) && !self.layers.first().is_some_and(was_refused) {
                self.findings.fault(
                    &join(&self.path, name),
                    "an unknown field",
                    format!("one of {}", asked.join(", ")),
                );
            }
        }
    }

    fn non_empty(&self, path: String, value: &Value) -> Option<At<String>> {
        match value.as_str() {
            Some(text) if !text.is_empty() => Some(At {
                path,
                value: text.to_owned(),
            }),
            _ => {
                self.findings
                    .fault(&path, describe(value), "a string that is not empty");
                None
            }
        }
    }

    fn list(&self, path: &str, value: &'a Value, allowed: &str) -> Option<Vec<At<&'a Value>>> {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            Value::Object(empty) if empty.is_empty() => &[],
            _ => {
                self.findings.fault(path, describe(value), allowed);
                return None;
            }
        };
        let item = |(index, value)| At {
            path: format!("{path}[{index}]"),
            value,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    fn number(&self, name: &'static str, range: RangeInclusive<f64>, unit: &str) -> Option<f64> {
        let At { path, value } = self.get(name)?;
        let number = value.as_f64().filter(|number| range.contains(number));
        if number.is_none() {
            let allowed = format!("{} to {} {unit}", range.start(), range.end());
            self.findings.fault(&path, describe(value), allowed);
        }
        number
    }
}

/// What was found, in words.
#[must_use]
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quote(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A text that was found, for the log: short, and without the user information of a URL, which
/// may be a password. What may be a key that stands in the wrong place is not shown at all.
#[must_use]
pub fn quote(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.contains("-----BEGIN") {
        return "a PEM text".to_owned();
    }
    if text.trim_start().starts_with('{') && text.contains(':') {
        return "a text of JSON".to_owned();
    }
    let text = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://***@{rest}"),
        _ => text.to_owned(),
    };
    if text.chars().count() > SHOWN {
        let start: String = text.chars().take(SHOWN).collect();
        format!("{start:?}…")
    } else {
        format!("{text:?}")
    }
}

/// The path of a member.
pub(super) fn join(path: &str, name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    // A key may stand where a name was meant.
    const LONGEST: usize = 100;
    if name.len() > LONGEST || name.contains("-----BEGIN") {
        return format!("{path}[a name of {} bytes]", name.len());
    }
    if !name.is_empty() && name.bytes().all(plain) {
        format!("{path}.{name}")
    } else {
        format!("{path}[{name:?}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read<T>(value: &Value, read: impl Fn(&Members) -> T) -> (T, Vec<String>) {
        let findings = Findings::default();
        let result = {
            let members = Members::open("$", value, &findings).unwrap();
            let result = read(&members);
            members.finish();
            result
        };
        let faults = findings
            .into_parts()
            .0
            .iter()
            .map(Fault::to_string)
            .collect();
        (result, faults)
    }

    #[test]
    fn takes_what_kong_makes_of_json() {
        let value = json!({"list": {}, "number": 3.0, "nothing": null});
        let (_, faults) = read(&value, |members| {
            assert_eq!(members.strings("list").unwrap().len(), 0);
            assert_eq!(members.seconds("number", 0.0..=10.0), Some(Millis(3000)));
            assert!(members.string("nothing").is_none());
        });
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn every_fault_has_its_path_what_was_found_and_what_is_allowed() {
        let value = json!({"a": 1, "b": ["x", ""], "c": 11, "d e": true});
        let (_, faults) = read(&value, |members| {
            members.string("a");
            members.strings("b");
            members.seconds("c", 0.0..=10.0);
        });
        assert_eq!(
            faults,
            [
                "$.a: found 1; allowed: a string that is not empty",
                r#"$.b[1]: found ""; allowed: a string that is not empty"#,
                "$.c: found 11; allowed: 0 to 10 seconds",
                r#"$["d e"]: found an unknown field; allowed: one of a, b, c"#,
            ]
        );
    }

    #[test]
    fn long_strings_are_not_shown_whole() {
        assert_eq!(
            describe(&json!("é".repeat(50))),
            format!("{:?}…", "é".repeat(40))
        );
    }

    #[test]
    fn passwords_in_urls_are_not_shown() {
        assert_eq!(quote("https://user:secret@kc/"), r#""https://***@kc/""#);
        assert_eq!(quote("https://a:b@c:d@kc"), r#""https://***@kc""#);
    }

    #[test]
    fn a_key_in_the_wrong_place_is_not_shown() {
        for key in [
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQY",
            " {\"kty\":\"OKP\",\"d\":\"nWGxne_9WmC6hE",
        ] {
            let shown = quote(key);
            assert!(!shown.contains("nWG") && !shown.contains("MC4"), "{shown}");
        }
        assert_eq!(quote("{realm}"), "\"{realm}\"");
        let (_, faults) = read(&json!({"-----BEGIN PRIVATE KEY-----\nMC4": 1}), |_| ());
        assert!(!faults[0].contains("MC4"), "{faults:?}");
    }
}
