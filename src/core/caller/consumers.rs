//! The applications that the configuration knows, as Kong knows its consumers.

use std::collections::BTreeMap;
use std::rc::Rc;

/// An application: what it is called upstream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Consumer {
    pub id: Option<String>,
    pub username: Option<String>,
    pub custom_id: Option<String>,
    pub tags: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Consumers {
    by_id: BTreeMap<String, Rc<Consumer>>,
    by_username: BTreeMap<String, Rc<Consumer>>,
    by_custom_id: BTreeMap<String, Rc<Consumer>>,
}

impl Consumers {
    /// Adds one; gives it back if one of its names is taken or it has none.
    ///
    /// # Errors
    /// The field whose value another consumer has, or `id` if it has no name at all.
    pub fn add(&mut self, consumer: Consumer) -> Result<(), &'static str> {
        let consumer = Rc::new(consumer);
        let names = [
            ("id", &consumer.id, &mut self.by_id),
            ("username", &consumer.username, &mut self.by_username),
            ("custom_id", &consumer.custom_id, &mut self.by_custom_id),
        ];
        let mut taken = Err("id");
        for (field, name, map) in names {
            let Some(name) = name else { continue };
            if map.insert(name.clone(), Rc::clone(&consumer)).is_some() {
                return Err(field);
            }
            taken = Ok(());
        }
        taken
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.by_username.is_empty() && self.by_custom_id.is_empty()
    }

    /// By id and then by username, as Kong looks for one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Rc<Consumer>> {
        self.by_id.get(name).or_else(|| self.by_username.get(name))
    }

    #[must_use]
    pub fn find_by_custom_id(&self, custom_id: &str) -> Option<&Rc<Consumer>> {
        self.by_custom_id.get(custom_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(id: &str, username: &str, custom_id: &str) -> Consumer {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Consumer {
            id: text(id),
            username: text(username),
            custom_id: text(custom_id),
            tags: Vec::new(),
        }
    }

    #[test]
    fn consumers_are_found_by_id_and_then_by_username() {
        let mut consumers = Consumers::default();
        consumers.add(consumer("1", "app", "c-1")).unwrap();
        consumers.add(consumer("app", "2", "")).unwrap();
        assert_eq!(
            consumers.find("1").unwrap().username.as_deref(),
            Some("app")
        );
        assert_eq!(
            consumers.find("app").unwrap().username.as_deref(),
            Some("2")
        );
        assert!(consumers.find("c-1").is_none());
        assert!(consumers.find_by_custom_id("c-1").is_some());
        assert_eq!(consumers.add(consumer("3", "2", "")), Err("username"));
        assert_eq!(consumers.add(consumer("", "", "")), Err("id"));
    }
}
