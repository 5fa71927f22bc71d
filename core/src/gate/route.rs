//! With which settings a request is looked at.

use alloc::boxed::Box;
use alloc::rc::Rc;

use super::{Effect, Gate};
use crate::config::Config;
use crate::head::RequestHead;
use crate::refusal::aws::{Fault, Manner};
use crate::refusal::{Answers, Rejection};
use crate::routes::Choice;

impl Gate {
    /// Takes the settings of the route that a request with this head is about, if there is one. `true` if
    /// that is in doubt.
    pub(super) fn choose_settings(&mut self, head: RequestHead<'_>) -> bool {
        let own = Rc::clone(&self.config);
        let choice = own.routes.choose(head);
        if let Choice::Route(place) = choice
            && let Some(route) = own.routes.get(place)
        {
            self.config = Rc::clone(&route.settings);
            self.route = Some(place);
        }
        if self.config.answers == Answers::S3 {
            self.manner = Some(Box::new(Manner::of_s3(head)));
        }
        matches!(choice, Choice::InDoubt(_))
    }

    pub(super) fn refuse_in_doubt(&mut self, head: RequestHead<'_>) -> Effect {
        if let (Some(rules), None) = (&self.config.sigv4, &self.config.token) {
            self.manner = Some(Box::new(Manner::of(head, rules, None)));
        }
        self.reject(Rejection::RouteInDoubt, &Fault::of_route_in_doubt())
    }

    /// The place of the route whose settings the request is looked at with; none for the plugin's own.
    #[must_use]
    pub fn route(&self) -> Option<usize> {
        self.route
    }

    /// The settings that the request is looked at with.
    #[must_use]
    pub fn settings(&self) -> &Rc<Config> {
        &self.config
    }
}
