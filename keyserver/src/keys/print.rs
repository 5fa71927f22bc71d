//! What `keys` prints: once with a secret, else without.

use std::fmt::Write as _;

use serde_json::{Value, json};
use voussoir_core::secret::Secret;
use voussoir_core::time::UnixTime;
use zeroize::Zeroizing;

use super::Format;
use crate::store::Entry;

/// A new key with its secret.
pub(super) fn created(
    entry: &Entry,
    secret: &Secret,
    session_token: Option<&Secret>,
    format: Format,
) -> Zeroizing<String> {
    let text =
        |secret: &Secret| Zeroizing::new(String::from_utf8_lossy(secret.expose()).into_owned());
    let secret = text(secret);
    let session_token = session_token.map(text);
    // The whole capacity at once: growing would leave copies of the secret behind.
    let mut printed = Zeroizing::new(String::with_capacity(CAPACITY));
    let _infallible = match format {
        Format::Json => {
            let mut value = described(entry);
            if let Some(fields) = value.as_object_mut() {
                fields.insert("secret".into(), Value::from(secret.as_str()));
                if let Some(token) = &session_token {
                    fields.insert("session_token".into(), Value::from(token.as_str()));
                }
            }
            write!(printed, "{value:#}")
        }
        Format::Text => {
            let token = session_token.as_ref().map(|token| token.as_str());
            let token = token.map(|token| format!("\nsession token  {token}")).unwrap_or_default();
            write!(
                printed,
                "access key     {}\nsecret         {}{token}\n\n\
                 Keep the secret now: it is shown this once.",
                entry.access_key, *secret,
            )
        }
    };
    printed
}

/// All keys, without their secrets.
pub(super) fn entries(entries: &[Entry], format: Format) -> Zeroizing<String> {
    let printed = match format {
        Format::Json => format!("{:#}", entries.iter().map(described).collect::<Value>()),
        Format::Text if entries.is_empty() => "There are no access keys.".into(),
        Format::Text => table(entries),
    };
    Zeroizing::new(printed)
}

fn described(entry: &Entry) -> Value {
    let Entry { access_key, is_enabled, record, description, created_at, changed_at } = entry;
    json!({
        "access_key": access_key,
        "status": if *is_enabled { "enabled" } else { "disabled" },
        "credential": record,
        "description": description,
        "created_at": created_at,
        "changed_at": changed_at,
    })
}

fn table(entries: &[Entry]) -> String {
    let title = ["ACCESS KEY", "STATUS", "USER", "PROJECT", "ROLES", "EXPIRES", "DESCRIPTION"];
    let title = title.map(str::to_owned);
    let rows: Vec<[String; 7]> = entries
        .iter()
        .map(|entry| {
            let record = &entry.record;
            let roles: Vec<&str> = record.roles.iter().map(|role| &*role.name).collect();
            let expires = |at| UnixTime::from_secs(at).to_string();
            [
                entry.access_key.clone(),
                if entry.is_enabled { "enabled" } else { "disabled" }.into(),
                record.user.name.as_ref().unwrap_or(&record.user.id).clone(),
                record.project.as_ref().map_or("-", |p| p.name.as_ref().unwrap_or(&p.id)).into(),
                if roles.is_empty() { "-".into() } else { roles.join(",") },
                record.expires_at.map_or("never".into(), expires),
                entry.description.clone().unwrap_or_else(|| "-".into()),
            ]
        })
        .collect();
    let mut lines = Vec::with_capacity(rows.len() + 1);
    for row in [&title].into_iter().chain(&rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cells = [&title].into_iter().chain(&rows).filter_map(|row| row.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
            let _infallible = write!(line, "{:width$}  ", visible(cell));
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// A description may hold anything; a terminal must not act on it.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const CAPACITY: usize = 16 * 1024;
