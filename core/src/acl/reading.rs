//! How servers may read a plain path.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{Action, PathTemplate};
use crate::access_rules::PlainPath;
use crate::split;

/// A path as most servers read it, and as others may.
///
/// Some take `/a/` for `/a`, drop parameters of segments (`/a;x=1/b` is `/a/b` to servlets), or decode once
/// more what was decoded before them (`/%2561` is `/a` then). A rule that allows is for none of these,
/// and one that denies for all.
#[derive(Debug)]
pub(crate) struct Readings<'a> {
    /// `None` if servers may read it as any other.
    plain: Option<PlainPath<'a>>,
    /// Without parameters, and decoded twice, if that is another path.
    other: Other,
}

#[derive(Debug)]
enum Other {
    None,
    Path(Vec<u8>),
    Any,
}

impl<'a> Readings<'a> {
    pub(crate) fn of(path: Option<&'a [u8]>) -> Self {
        let plain = path.and_then(PlainPath::new);
        let other = plain.as_ref().map_or(Other::Any, |path| Other::of(path.as_bytes()));
        Self { plain, other }
    }

    /// The path as most servers read it.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        self.plain.as_ref().map(PlainPath::as_bytes)
    }

    /// The path as some servers read it, if that is another one.
    pub(crate) fn other(&self) -> Option<&[u8]> {
        if let Other::Path(other) = &self.other { Some(other) } else { None }
    }

    /// Whether some servers read it as another path.
    pub(super) fn has_other(&self) -> bool {
        !matches!(self.other, Other::None)
    }

    /// Whether it is one of these paths however it is read, or none of them. `None` if servers may differ.
    pub(crate) fn agree_on(&self, template: &PathTemplate) -> Option<bool> {
        if template.is_all() {
            return Some(true);
        }
        let path = self.plain()?;
        let fits = template.matches(path);
        let is_agreed = match &self.other {
            Other::None => true,
            Other::Path(other) => template.matches(other) == fits,
            Other::Any => false,
        };
        // A slash at the end is nothing to some servers.
        let is_slash_nothing =
            fits || path.strip_suffix(b"/").is_none_or(|path| !template.matches(path));
        (is_agreed && is_slash_nothing).then_some(fits)
    }

    /// Whether every server reads it alike.
    pub(crate) fn is_one(&self) -> bool {
        self.plain.is_some() && !self.has_other()
    }

    /// What every reading of it is found to be, if that is one and the same.
    pub(crate) fn agree(&self, find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        let found = find(self.plain()?)?;
        let is_same = match &self.other {
            Other::None => true,
            Other::Path(other) => find(other) == Some(found),
            Other::Any => false,
        };
        is_same.then_some(found)
    }

    /// Whether a rule for these paths is about it. `None` if that cannot be known.
    pub(super) fn is_under(&self, template: &PathTemplate, action: Action) -> Option<bool> {
        self.fits(action, |path| template.matches(path))
    }

    /// Whether it is so of the path, for a rule that allows, or of any that it may be read as, for one that
    /// denies. `None` if that cannot be known.
    pub(super) fn fits(&self, action: Action, is_so: impl Fn(&[u8]) -> bool) -> Option<bool> {
        let path = self.plain()?;
        let fits = |path: &[u8]| {
            let without_slash = path.strip_suffix(b"/").filter(|_| action == Action::Deny);
            is_so(path) || without_slash.is_some_and(&is_so)
        };
        match &self.other {
            Other::Path(other) if action == Action::Deny => Some(fits(path) || fits(other)),
            Other::Any if action == Action::Deny && !fits(path) => None,
            _ => Some(fits(path)),
        }
    }
}

impl Other {
    /// Of a plain path in its one spelling.
    fn of(path: &[u8]) -> Self {
        let mut text = Cow::from(path);
        // What would be decoded a third time is not plain.
        if let Some(decoded) = decoded_once_more(path) {
            let Some(decoded) = PlainPath::new(&decoded) else { return Self::Any };
            text = decoded.as_bytes().to_vec().into();
        }
        if text.contains(&b';') {
            let named = split::parts(&text, b'/').map(|segment| split::before(segment, b';'));
            text = named.collect::<Vec<_>>().join(&b'/').into();
        }
        match text {
            Cow::Borrowed(_) => Self::None,
            Cow::Owned(text) => {
                PlainPath::new(&text).map_or(Self::Any, |path| Self::Path(path.as_bytes().into()))
            }
        }
    }
}

/// With a percent sign for each encoded one that two digits follow, if there is such a one.
fn decoded_once_more(text: &[u8]) -> Option<Vec<u8>> {
    let is_escape = |text: &[u8]| {
        matches!(text, [b'%', b'2', b'5', high, low, ..]
            if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    };
    text.windows(ESCAPE).position(is_escape)?;
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        decoded.push(*byte);
        rest = if is_escape(rest) { after.get(2..).unwrap_or_default() } else { after };
    }
    Some(decoded)
}

/// The length of `%25`, and of two digits.
const ESCAPE: usize = 5;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn is_under(template: &str, path: &str) -> [Option<bool>; 2] {
        let (template, path) = (PathTemplate::new(template).unwrap(), Some(path.as_bytes()));
        [Action::Allow, Action::Deny].map(|action| Readings::of(path).is_under(&template, action))
    }

    #[test]
    fn a_rule_that_denies_is_about_every_reading() {
        for path in [
            "/private/a/",
            "/private;x=1/a",
            "/private;/a;b;c",
            "/private%3Bx/a",
            "/%2570rivate/a",
            "/private%253Bx/a",
        ] {
            assert_eq!(is_under("/private/a", path), [Some(false), Some(true)], "{path}");
        }
        assert_eq!(is_under("/private/a", "/private/a"), [Some(true), Some(true)]);
        assert_eq!(is_under("/private/a", "/public/a;private"), [Some(false), Some(false)]);
    }

    #[test]
    fn what_nobody_can_read_is_not_known() {
        for path in ["/private/../a", "/a%2fb", "/a//b", "/a%zz", "/%252570rivate/a", "/a%252f"] {
            assert_eq!(is_under("/private/a", path), [None, None], "{path}");
        }
        assert_eq!(
            Readings::of(None).is_under(&PathTemplate::new("/**").unwrap(), Action::Deny),
            None
        );
    }

    #[test]
    fn a_percent_sign_that_begins_no_escape_is_one() {
        for path in ["/100%25", "/100%25/a", "/5%25-7%25", "/%25g1"] {
            assert_eq!(is_under("/private/a", path), [Some(false), Some(false)], "{path}");
            assert_eq!(is_under("/**", path), [Some(true), Some(true)], "{path}");
        }
    }
}
