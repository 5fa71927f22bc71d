//! What is wrong with a value, and where it stands.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use super::Json;

/// Why a text does not say what it should.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The path of the value, such as `token.kinds[1]`; empty for the whole.
    path: String,
    problem: String,
}

impl Wrong {
    #[cold]
    pub(crate) fn new(problem: &impl ToString) -> Self {
        Self { path: String::new(), problem: problem.to_string() }
    }

    /// A value that is something else than `expected`.
    #[cold]
    pub(super) fn value(found: &Json, expected: &str) -> Self {
        let found = match found {
            Json::Null => "null",
            Json::Bool(truth) => &format!("boolean `{truth}`"),
            Json::Number(number) => &format!("number `{number}`"),
            Json::Text(text) => &format!("string {:?}", text.as_str()),
            Json::List(_) => "sequence",
            Json::Object(_) => "map",
        };
        Self::new(&format!("invalid type: {found}, expected {expected}"))
    }

    #[cold]
    pub(super) fn missing(name: &str) -> Self {
        Self::new(&format!("missing field `{name}`"))
    }

    #[cold]
    pub(super) fn unknown_field(name: &str, known: &[&str]) -> Self {
        Self::new(&format!("unknown field `{name}`, {}", one_of(known))).at(name)
    }

    #[cold]
    pub(super) fn unknown_word(word: &str, known: &[&str]) -> Self {
        Self::new(&format!("unknown variant `{word}`, {}", one_of(known)))
    }

    /// The same, seen from the object in which the value has this name.
    #[cold]
    pub(super) fn at(self, name: &str) -> Self {
        let Self { path, problem } = self;
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        Self { path: format!("{name}{dot}{path}"), problem }
    }

    /// The same, seen from the list in which the value has this place.
    #[cold]
    pub(super) fn at_place(self, place: usize) -> Self {
        self.at(&format!("[{place}]"))
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, which may show the value.
    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, problem } = self;
        if path.is_empty() { f.write_str(problem) } else { write!(f, "{path}: {problem}") }
    }
}

fn one_of(known: &[&str]) -> String {
    match known {
        [] => "there are no fields".into(),
        [one] => format!("expected `{one}`"),
        [one, other] => format!("expected `{one}` or `{other}`"),
        [one, others @ ..] => {
            let start = format!("expected one of `{one}`");
            others.iter().fold(start, |text, name| format!("{text}, `{name}`"))
        }
    }
}
