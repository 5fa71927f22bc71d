//! Why a document is refused: by name.

use std::fmt;

/// Something in a document that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A JSON Pointer (RFC 6901) to what has it.
    pub pointer: String,
    /// Which keyword or field it is.
    pub keyword: String,
    /// What is wrong with it.
    pub why: String,
}

/// All that cannot be compiled in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals(pub Vec<Refusal>);

impl Refusal {
    pub(crate) fn new(pointer: &str, keyword: &str, why: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), keyword: keyword.into(), why: why.into() }
    }
}

impl From<Refusal> for Refusals {
    fn from(refusal: Refusal) -> Self {
        Self(vec![refusal])
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, keyword, why } = self;
        let pointer = if pointer.is_empty() { "/" } else { pointer };
        write!(f, "{pointer}: `{keyword}` {why}")
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, refusal) in self.0.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{refusal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
impl std::error::Error for Refusals {}

/// Where something stands in what stands at a pointer.
pub(crate) fn under(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}
