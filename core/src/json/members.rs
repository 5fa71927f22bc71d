//! The members of an object.

use alloc::string::String;
use alloc::vec::Vec;
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

    pub(crate) fn as_slice(&self) -> &[Member] {
        &self.0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|member| (member.name.as_str(), &member.value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        let place = self.0.binary_search_by(|member| member.name.as_str().cmp(name));
        place.ok().and_then(|place| self.0.get(place)).map(|member| &member.value)
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
        assert_eq!(members((0..90_000).rev()).unwrap().as_slice().len(), 90_000);
        assert_eq!(members((0..90_000).chain([7])).err().unwrap(), "00007");
    }

    #[test]
    fn each_is_found_by_its_name_and_there_once() {
        let all = members([5, 1, 4, 2]).unwrap();
        for (name, is_there) in
            [("00001", true), ("00003", false), ("0000", false), ("00005", true)]
        {
            assert_eq!(all.get(name).is_some(), is_there, "{name}");
        }
        assert!(all.iter().map(|(name, _)| name).eq(["00001", "00002", "00004", "00005"]));
    }
}
