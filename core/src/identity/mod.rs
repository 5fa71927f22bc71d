//! What a service learns about the user: headers, under the names that keystonemiddleware uses.
//!
//! The client must not be able to say any of it. So every header that could be taken for one of
//! these is removed from every request, whatever becomes of it, also where its name is spelt with
//! underscores: CGI and WSGI (PEP 3333) turn `X-User-Id` and `X_User_Id` into one variable.
//!
//! | File | What |
//! |---|---|
//! | `names.rs` | whose names they are, in any spelling |
//! | `telling.rs` | how it is written down, as far as a service wants to know it |
//! | `of_record.rs` | what a record of Keystone's knowledge says: all that keystonemiddleware says |
//! | `of_token.rs` | what a token says by itself |
//! | `of_access_key.rs` | what the record of an access key says |
//! | `selected.rs` | which of it a service wants to know |

mod names;
mod of_access_key;
mod of_record;
mod of_token;
mod selected;
mod telling;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use names::{SERVICE_TOKEN, TOKENS};
pub use names::{claims, is_identity_header};
pub use selected::SelectedHeaders;
pub use telling::IdentityHeaders;

use crate::head::RequestHead;

/// A part of a request that has fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The headers, where the token is.
    Headers,
    /// The trailers, where no token is looked for, and so none may be found.
    Trailers,
}

/// Changes to the headers of a request that is let through, to be made in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Headers to remove.
    pub remove: Vec<&'static [u8]>,
    /// Headers to set, after the removals; each name is there once.
    pub set: Vec<(&'static str, String)>,
}

impl HeaderEdits {
    /// Removes the token, so that the service never sees it.
    pub fn strip_token(&mut self) {
        self.remove.extend(TOKENS);
    }

    /// Removes the token of a service, likewise.
    pub fn strip_service_token(&mut self) {
        self.remove.push(SERVICE_TOKEN);
    }

    /// Says which quota the request is to be counted against: to a filter behind this one, or to the service.
    pub fn set_quota_class(&mut self, class: &str) {
        self.set.push(("x-voussoir-quota-class", class.into()));
    }

    /// These, and then others that stay as they are.
    #[must_use]
    pub fn and(&self, others: &Rc<Self>) -> Rc<Self> {
        if self.remove.is_empty() && self.set.is_empty() {
            return Rc::clone(others);
        }
        let mut all = self.clone();
        all.remove.extend_from_slice(&others.remove);
        all.set.extend_from_slice(&others.set);
        all.into()
    }
}

const IDENTITY_STATUS: &str = "x-identity-status";
