//! The documents of APIs, compiled: what there is to know about their transport. `schema/` reads them.

/// Documents are below this path, each under its name.
pub const SCHEMAS_PATH: &str = "/v1/schemas";

/// The longest document, in bytes. One of the largest APIs there is, Compute with all its versions, takes some
/// hundred thousand.
pub const MAX_SCHEMA_BYTES: usize = 1024 * 1024;

/// Whether a document can have this name: 1 to 64 letters, digits, dots, hyphens and underscores, of which a dot
/// is not the first.
#[must_use]
pub fn is_schema_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with('.')
}
