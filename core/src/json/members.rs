//! The members of an object.

use alloc::string::String;
use alloc::vec::{IntoIter, Vec};
use core::cmp::Ordering;

use super::Json;
use crate::sorted::sorted;

/// The members of an object, each with a name of its own, in the order of their names.
#[derive(Clone, Default)]
pub(crate) struct Members(Vec<Member>);

/// A member. Only its name is compared.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) value: Json,
}

impl Members {
    /// Those of a text, or a name that comes twice in it.
    pub(crate) fn new(members: Vec<Member>) -> Result<Self, String> {
        let members = sorted(members);
        let twice = members.windows(2).find_map(|pair| match pair {
            [one, other] if one == other => Some(one.name.clone()),
            _ => None,
        });
        twice.map_or(Ok(Self(members)), Err)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|member| (member.name.as_str(), &member.value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.place(name).ok().and_then(|place| self.0.get(place)).map(|member| &member.value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Takes out the value of this name.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Json> {
        self.place(name).ok().map(|place| self.0.remove(place).value)
    }

    /// Puts a member in, in place of another of its name.
    pub(crate) fn insert(&mut self, name: String, value: Json) {
        self.remove(&name);
        if let Err(place) = self.place(&name) {
            self.0.insert(place, Member { name, value });
        }
    }

    /// Where the member of a name is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|member| member.name.as_str().cmp(name))
    }
}

impl IntoIterator for Members {
    type Item = Member;
    type IntoIter = IntoIter<Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Member {}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Member {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}
