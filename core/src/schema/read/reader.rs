//! Reading what a value says, and noting what it should have said.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use crate::json::Json as Value;

/// Reads on when something is wrong, which it notes: nobody sees what is made of that then.
pub(super) struct Reader {
    /// How many entries the tables have.
    pub(super) nodes: usize,
    pub(super) patterns: usize,
    /// The name of what was wrong first.
    pub(super) wrong: Cell<Option<&'static str>>,
}

impl Reader {
    pub(super) fn count(&self, value: &Value) -> usize {
        // A proxy's numbers have 32 bits, and whatever it refuses the key server has to refuse, too.
        let count = value.as_usize().filter(|count| u32::try_from(*count).is_ok());
        count.or_else(|| self.none("a count")).unwrap_or_default()
    }

    pub(super) fn node_number(&self, value: &Value) -> usize {
        self.number(value, self.nodes, "a node's number")
    }

    pub(super) fn pattern_number(&self, value: &Value) -> usize {
        self.number(value, self.patterns, "a pattern's number")
    }

    /// A number that is smaller than `end`.
    fn number(&self, value: &Value, end: usize, name: &'static str) -> usize {
        let number = value.as_usize().filter(|number| *number < end);
        number.or_else(|| self.none(name)).unwrap_or_default()
    }

    pub(super) fn optional_node(&self, object: &Value, name: &str) -> Option<usize> {
        object.get(name).map(|it| self.node_number(it))
    }

    pub(super) fn node_numbers(&self, value: &Value) -> Vec<usize> {
        let mut numbers = Vec::new();
        for value in self.values(value, "a list of nodes") {
            numbers.push(self.node_number(value));
        }
        numbers
    }

    pub(super) fn object(&self, value: &Value, name: &'static str) {
        if !matches!(value, Value::Object(_)) {
            self.note(name);
        }
    }

    /// An empty one if there is none.
    pub(super) fn list<'a>(&self, object: &'a Value, name: &'static str) -> &'a [Value] {
        object.get(name).map_or(&[], |value| self.values(value, name))
    }

    fn values<'a>(&self, value: &'a Value, name: &'static str) -> &'a [Value] {
        value.as_list().or_else(|| self.none(name)).unwrap_or_default()
    }

    pub(super) fn text<'a>(&self, object: &'a Value, name: &'static str) -> &'a str {
        let text = object.get(name).and_then(Value::as_text);
        text.or_else(|| self.none(name)).unwrap_or_default()
    }

    pub(super) fn texts(&self, value: &Value) -> Vec<String> {
        let mut texts = Vec::new();
        for value in self.values(value, "a list of names") {
            let text = value.as_text().or_else(|| self.none("a name"));
            texts.extend(text.map(String::from));
        }
        texts
    }

    pub(super) fn none<T>(&self, name: &'static str) -> Option<T> {
        self.note(name);
        None
    }

    #[cold]
    pub(super) fn note(&self, name: &'static str) {
        self.wrong.set(self.wrong.get().or(Some(name)));
    }
}
