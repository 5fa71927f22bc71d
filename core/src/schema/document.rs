//! A compiled document: paths with their operations, and the tables that those refer to.

use alloc::string::String;
use alloc::vec::Vec;

use super::media_type::MediaType;
use super::node::Node;
use super::parameter::Parameter;
use super::pattern::Pattern;
use crate::acl::PathTemplate;

/// A compiled document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The ones that are more specific come first.
    pub(super) paths: Vec<Path>,
    pub(super) nodes: Vec<Node>,
    pub(super) patterns: Vec<Pattern>,
}

/// A path, and what can be done with it.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) template: PathTemplate,
    pub(super) operations: Vec<Operation>,
    /// The methods, as `Allow` has them.
    pub(super) allow: String,
}

/// A method of a path.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) parameters: Vec<Parameter>,
    /// Nothing is to be sent without it.
    pub(super) body: Option<RequestBody>,
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub(super) struct RequestBody {
    pub(super) is_required: bool,
    pub(super) content: Vec<Content>,
}

/// One kind of body.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) media_type: MediaType,
    /// What it must be, as JSON; it may be anything without it.
    pub(super) node: Option<usize>,
}

impl Document {
    /// The path that is asked for, by its number.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let segments = path.split(|byte| *byte == b'/').skip(1).count();
        self.paths.iter().position(|it| it.template.matches_segments(segments, path))
    }
}
