//! The head of a request, as bytes: headers in order, duplicates and all.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::slice;

use crate::split;

/// The headers of a request. Pseudo-headers (`:method`, `:path`) are among them, and names are in
/// lower case, as HTTP/2 has it and as Envoy gives both for every version of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    headers: &'a [(&'a [u8], &'a [u8])],
    source: Option<IpAddr>,
    properties: Option<&'a [Option<Vec<u8>>]>,
}

impl<'a> RequestHead<'a> {
    /// A head of these headers.
    #[must_use]
    pub fn new(headers: &'a [(&'a [u8], &'a [u8])]) -> Self {
        Self { headers, source: None, properties: None }
    }

    /// The same head, of a client with this address.
    #[must_use]
    pub fn from_source(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The same head, of which the host tells this, in the places of what
    /// [routes](crate::routes::Routes::properties) ask for. Without it, that is not known.
    #[must_use]
    pub fn with_properties(self, properties: &'a [Option<Vec<u8>>]) -> Self {
        Self { properties: Some(properties), ..self }
    }

    /// What the host tells of the request, in the place of what routes ask for; nothing inside where it has
    /// nothing to tell, and nothing at all where that is not known.
    pub(crate) fn property(self, place: usize) -> Option<Told<'a>> {
        self.properties.map(|properties| Told(properties.get(place).and_then(Option::as_deref)))
    }

    /// The address of the client, as the proxy knows it; `None` where nobody asked for it.
    #[must_use]
    pub fn source(self) -> Option<IpAddr> {
        self.source
    }

    /// The method.
    #[must_use]
    pub fn method(self) -> Option<&'a [u8]> {
        self.values(b":method").next()
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(self) -> Option<&'a [u8]> {
        self.values(b":path").next().map(|path| split::before(path, b'?'))
    }

    /// The query, without its question mark; empty when there is none.
    #[must_use]
    pub fn query(self) -> &'a [u8] {
        let path = self.values(b":path").next().unwrap_or_default();
        split::once(path, b'?').map_or(b"", |(_, query)| query)
    }

    /// Whether there is a header of this name.
    #[must_use]
    pub fn has(self, name: &[u8]) -> bool {
        self.values(name).next().is_some()
    }

    /// The values of all headers of this name, in order.
    #[must_use]
    pub fn values(self, name: &[u8]) -> Values<'a, '_> {
        Values { headers: self.headers.iter(), name }
    }

    /// The value of the header of this name, of which there must not be two.
    pub fn single(self, name: &[u8]) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() { Err(Repeated) } else { Ok(value) }
    }

    /// How long the body is, where that is said; what is no number is more than any.
    #[must_use]
    pub fn content_length(self) -> Option<usize> {
        // What is there twice, the host has refused.
        let length = self.values(b"content-length").next()?;
        let number = core::str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
        Some(number.and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX))
    }

    /// All headers, in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.headers.iter().copied()
    }

    /// The names of all headers, in order.
    pub fn names(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.headers.iter().map(|(name, _)| *name)
    }
}

/// The [values](RequestHead::values) of all headers of one name.
#[derive(Clone, Debug)]
pub struct Values<'a, 'name> {
    headers: slice::Iter<'a, (&'a [u8], &'a [u8])>,
    name: &'name [u8],
}

impl<'a> Iterator for Values<'a, '_> {
    type Item = &'a [u8];

    // A loop and no chain of adapters: nothing is looked for as often, and each adapter is a call for each header
    // where code is small.
    fn next(&mut self) -> Option<&'a [u8]> {
        for (name, value) in self.headers.by_ref() {
            // Most have another length, which is told without a call.
            if name.len() == self.name.len() && *name == self.name {
                return Some(value);
            }
        }
        None
    }
}

/// The headers by which a call to another service can be told to be part of this request: the W3C's
/// trace context, and the proxy's own number of the request. What is not plain or too long is left
/// out.
#[must_use]
pub fn trace(head: RequestHead<'_>) -> Vec<(&'static str, String)> {
    let headers = TRACE.into_iter().filter_map(|name| {
        let value = head.single(name.as_bytes()).ok().flatten()?;
        let is_plain =
            (1..=MAX_TRACE).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        let text = core::str::from_utf8(value).ok().filter(|_| is_plain)?;
        Some((name, String::from(text)))
    });
    headers.collect()
}

const TRACE: [&str; 3] = ["traceparent", "tracestate", "x-request-id"];
/// The longest of them that is passed on: that of `tracestate` (W3C Trace Context, section 3.3.1.3).
const MAX_TRACE: usize = 512;

/// What the host tells, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told<'a>(pub(crate) Option<&'a [u8]>);

/// There is more than one header of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

/// The parameters of a query, in order: names and values as the wire has them. Ampersands alone part
/// them, a semicolon is a character like any other; `?acl` is a parameter without a value, and between
/// two ampersands there is none.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let parameters = split::parts(query, b'&').filter(|text| !text.is_empty());
    parameters.map(|text| split::once(text, b'=').unwrap_or((text, b"")))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_first_question_mark_parts_path_and_query() {
        for (sent, path, query) in [
            (&b"/a"[..], &b"/a"[..], &b""[..]),
            (b"/a?", b"/a", b""),
            (b"/a?b=c?d", b"/a", b"b=c?d"),
            (b"?", b"", b""),
        ] {
            let headers = [(&b":path"[..], sent)];
            let head = RequestHead::new(&headers);
            assert_eq!((head.path(), head.query()), (Some(path), query));
        }
        assert_eq!(RequestHead::new(&[]).query(), b"");
    }

    #[test]
    fn a_header_is_found_by_its_whole_name() {
        let headers: [(&[u8], &[u8]); 4] =
            [(b"ab", b"1"), (b"a", b"2"), (b"abc", b"3"), (b"ab", b"")];
        let values =
            |name: &'static [u8]| RequestHead::new(&headers).values(name).collect::<Vec<_>>();
        assert_eq!(values(b"ab"), [&b"1"[..], b""]);
        assert_eq!(values(b"a"), [b"2"]);
        assert!(values(b"b").is_empty() && values(b"").is_empty() && values(b"AB").is_empty());
    }

    #[test]
    fn a_single_header_is_not_there_twice() {
        let headers: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", b"2"), (b"a", b"1")];
        let head = RequestHead::new(&headers);
        assert_eq!(head.single(b"a"), Err(Repeated));
        assert_eq!(head.single(b"b"), Ok(Some(&b"2"[..])));
        assert_eq!(head.single(b"c"), Ok(None));
    }

    #[test]
    fn a_trace_is_passed_on_if_it_is_plain() {
        let long = [b'a'; MAX_TRACE + 1];
        for (name, value, expected) in [
            ("traceparent", &b"00-0af7-b7ad-01"[..], true),
            ("x-request-id", b"1-2", true),
            ("tracestate", &long, false),
            ("tracestate", &long[1..], true),
            ("x-request-id", b"a b", false),
            ("x-request-id", b"a\xff", false),
            ("x-request-id", b"", false),
            ("x-other", b"a", false),
        ] {
            let headers = [(name.as_bytes(), value)];
            assert_eq!(trace(RequestHead::new(&headers)).len(), usize::from(expected), "{name}");
        }
        let twice = [(&b"x-request-id"[..], &b"a"[..]), (b"x-request-id", b"b")];
        assert_eq!(trace(RequestHead::new(&twice)), []);
    }
}
