//! The contexts that the host has made here: roots, each with a configuration, and requests.
//!
//! The host names a context in each callback. One that is not known, for it is gone or was never
//! made, is no reason to trap.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::request::Request;
use crate::root::Root;

#[derive(Default)]
pub struct Contexts {
    roots: RefCell<BTreeMap<u32, Rc<Root>>>,
    requests: RefCell<BTreeMap<u32, Rc<Request>>>,
}

impl Contexts {
    pub fn add_root(&self, id: u32) {
        self.roots.borrow_mut().insert(id, Rc::new(Root::new(id)));
    }

    /// A request under a root's configuration; nothing if there is no such root.
    pub fn add_request(&self, id: u32, root: u32) {
        if let Some(root) = self.root(root) {
            let request = Request::new(id, Rc::clone(root.instance()));
            self.requests.borrow_mut().insert(id, Rc::new(request));
        }
    }

    pub fn root(&self, id: u32) -> Option<Rc<Root>> {
        self.roots.borrow().get(&id).cloned()
    }

    pub fn request(&self, id: u32) -> Option<Rc<Request>> {
        self.requests.borrow().get(&id).cloned()
    }

    pub fn remove(&self, id: u32) {
        // Dropped when nothing is borrowed any more.
        let request = self.requests.borrow_mut().remove(&id);
        // WasmX numbers the two by themselves: a request may have a root's number.
        let root = if request.is_none() {
            self.roots.borrow_mut().remove(&id)
        } else {
            None
        };
        drop((request, root));
    }
}
