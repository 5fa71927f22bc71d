//! What is wrong is looked at again and again, and said once.

/// The last complaint about something, as long as there is cause for it.
#[derive(Debug)]
pub(crate) struct Complaint<E>(Option<E>);

/// At first there is none.
impl<E> Default for Complaint<E> {
    fn default() -> Self {
        Self(None)
    }
}

impl<E: PartialEq> Complaint<E> {
    /// What is to be said: nothing, where just this has been said.
    pub(crate) fn about(&mut self, why: E) -> Option<&E> {
        let is_new = self.0.as_ref() != Some(&why);
        self.0 = Some(why);
        self.0.as_ref().filter(|_| is_new)
    }

    /// Nothing is wrong any more: whether there was a complaint.
    pub(crate) fn end(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_said_once_until_something_else_is_wrong_or_it_comes_back() {
        let mut complaint = Complaint::default();
        assert!(!complaint.end());
        for why in ["gone", "torn"] {
            assert_eq!(complaint.about(why), Some(&why));
            assert_eq!(complaint.about(why), None);
        }
        assert!(complaint.end() && !complaint.end());
        assert_eq!(complaint.about("torn"), Some(&"torn"));
    }
}
