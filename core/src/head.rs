//! The head of a request, as bytes: headers in order, duplicates and all.

/// The headers of a request. Pseudo-headers (`:method`, `:path`) are among them, and names are in
/// lower case, as HTTP/2 has it and as Envoy gives both for every version of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    headers: &'a [(&'a [u8], &'a [u8])],
}

impl<'a> RequestHead<'a> {
    /// A head of these headers.
    #[must_use]
    pub fn new(headers: &'a [(&'a [u8], &'a [u8])]) -> Self {
        Self { headers }
    }

    /// The method.
    #[must_use]
    pub fn method(self) -> Option<&'a [u8]> {
        self.values(b":method").next()
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(self) -> Option<&'a [u8]> {
        self.values(b":path").next().and_then(|path| path.split(|byte| *byte == b'?').next())
    }

    /// Whether there is a header of this name.
    #[must_use]
    pub fn has(self, name: &[u8]) -> bool {
        self.values(name).next().is_some()
    }

    /// The values of all headers of this name, in order.
    pub fn values(self, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(other, _)| *other == name).map(|(_, value)| *value)
    }

    /// The names of all headers, in order.
    pub fn names(self) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().map(|(name, _)| *name)
    }
}
