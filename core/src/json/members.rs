//! The members of an object.

use alloc::string::String;
use alloc::vec::{IntoIter, Vec};
use core::cmp::Ordering;

use super::Json;
use crate::sorted::sorted;

/// The members of an object, each with a name of its own, in the order of their names.
#[derive(Default)]
pub(crate) struct Members(Vec<Member>);

/// A member. Only its name is compared.
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

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;

    fn members(names: impl IntoIterator<Item = u32>) -> Result<Members, String> {
        let member = |name| Member { name: format!("{name:05}"), value: Json::Bool(true) };
        Members::new(names.into_iter().map(member).collect())
    }

    #[test]
    fn of_very_many_one_that_comes_twice_is_found_in_no_time() {
        assert_eq!(members((0..90_000).rev()).unwrap().len(), 90_000);
        assert_eq!(members((0..90_000).chain([7])).err().unwrap(), "00007");
    }

    #[test]
    fn each_is_found_by_its_name_and_there_once() {
        let mut all = members([5, 1, 4, 2]).unwrap();
        for (name, is_there) in
            [("00001", true), ("00003", false), ("0000", false), ("00005", true)]
        {
            assert_eq!((all.has(name), all.get(name).is_some()), (is_there, is_there), "{name}");
        }
        assert!(all.remove("00004").is_some() && all.remove("00004").is_none());
        assert!(all.iter().map(|(name, _)| name).eq(["00001", "00002", "00005"]));
    }
}
