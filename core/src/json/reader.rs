//! What is wrong with a value, and where it stands.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{FromJson, Json, Place, Step, quoted};

/// Where reading is, and what was wrong first.
pub(crate) struct Reader {
    path: Vec<Step<'static>>,
    wrong: Option<Wrong>,
}

/// Why a text does not say what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The path of the value, such as `token.kinds[1]`; empty for the whole.
    pub(crate) path: String,
    /// What is wrong, which may show the value.
    pub(crate) problem: String,
}

impl Json {
    /// Reads what it says.
    pub(crate) fn read<T: FromJson>(&self) -> Result<T, Wrong> {
        let mut reader = Reader { path: Vec::new(), wrong: None };
        let read = T::from_json(self, &mut reader);
        reader.wrong.map_or(Ok(read), Err)
    }
}

impl Reader {
    pub(super) fn enter(&mut self, step: impl Into<Step<'static>>) {
        self.path.push(step.into());
    }

    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// Something is wrong with the value that is being read.
    #[cold]
    pub(crate) fn note(&mut self, problem: &str) {
        self.note_at("", problem.into());
    }

    /// It is something else than `expected`.
    #[cold]
    pub(super) fn note_value(&mut self, found: &Json, expected: &str) {
        self.note_at("", unexpected(found, expected));
    }

    #[cold]
    pub(super) fn note_missing(&mut self, name: &str) {
        self.note_at("", format!("missing field `{name}`"));
    }

    #[cold]
    pub(super) fn note_unknown_field(&mut self, name: &str, known: &[&str]) {
        self.note_at(name, format!("unknown field `{name}`, {}", one_of_these(known)));
    }

    #[cold]
    pub(super) fn note_unknown_word(&mut self, word: &str, known: &[&str]) {
        self.note_at("", format!("unknown variant `{word}`, {}", one_of_these(known)));
    }

    fn note_at(&mut self, name: &str, problem: String) {
        if self.wrong.is_some() {
            return;
        }
        let mut path = String::new();
        for step in &self.path {
            step.append_to(&mut path);
        }
        if !name.is_empty() {
            Step::Name(name).append_to(&mut path);
        }
        self.wrong = Some(Wrong { path, problem });
    }
}

impl Wrong {
    /// The whole is not what it should be: no JSON, for one.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { path: String::new(), problem: problem.into() }
    }

    /// A name comes twice in the object in this place.
    pub(super) fn twice(name: &str, place: Place<'_>) -> Self {
        Self { path: place.path(), problem: format!("duplicate field `{name}`") }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, problem } = self;
        if path.is_empty() { f.write_str(problem) } else { write!(f, "{path}: {problem}") }
    }
}

/// What is wrong with a value that is something else than `expected`.
pub(crate) fn unexpected(found: &Json, expected: &str) -> String {
    let found = match found {
        Json::Null => "null",
        Json::Bool(truth) => &format!("boolean `{truth}`"),
        Json::Number(number) => &format!("number `{number}`"),
        Json::Text(text) => &format!("string {}", quoted(text)),
        Json::List(_) => "sequence",
        Json::Object(_) => "map",
    };
    format!("invalid type: {found}, expected {expected}")
}

/// What would be right where there are these words.
pub(crate) fn one_of_these(known: &[&str]) -> String {
    match known {
        [] => "there are none".into(),
        [one] => format!("expected `{one}`"),
        [one, other] => format!("expected `{one}` or `{other}`"),
        [one, others @ ..] => {
            let start = format!("expected one of `{one}`");
            others.iter().fold(start, |text, name| format!("{text}, `{name}`"))
        }
    }
}
