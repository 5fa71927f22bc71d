//! What the access control list says of a request: which of its rules are about it as soon as its head
//! is there, and whether it may pass as soon as its sender is known.

use alloc::boxed::Box;

use super::{Gate, Verdict};
use crate::acl::{Action, Asked, Caller, Decision};
use crate::config::Missing;
use crate::head::RequestHead;
use crate::refusal::{Rejection, Reply};

impl Gate {
    /// Finds the rules that are about a request with this head.
    pub(super) fn match_rules(&mut self, head: RequestHead<'_>) {
        let Some(acl) = &self.config.acl else { return };
        let s3 = acl.s3_hosts();
        self.matched = Some(acl.matched(Asked::of(head, s3)));
        // A copy has to be allowed to write, and to read what it copies.
        let copied = self.config.sigv4.as_ref().and_then(|_| Asked::of_copied(head, s3));
        self.matched_copied = copied.map(|asked| Box::new(acl.matched(asked)));
    }

    /// How a request of this sender is decided, all of whose credentials are good: allowed or denied.
    pub(super) fn authorize(&mut self, caller: &Caller<'_>) -> Verdict {
        self.decision = self.decide(caller);
        self.note_decision(self.decision, caller.user_id.is_some());
        match self.decision {
            Some(Decision { action: Action::Deny, .. }) => Verdict::Rejected(Rejection::AclDenied),
            Some(Decision { action: Action::Allow, .. }) | None => Verdict::Allowed,
        }
    }

    /// Whether requests are left to the service that are not allowed for this reason.
    pub(super) fn is_left_to_service(&self, rejection: Rejection) -> bool {
        self.config.missing == Missing::Anonymous && rejection.can_be_anonymous()
    }

    /// Whether this request is, without an identity: it may do what the list allows to nobody in
    /// particular. Whoever may not is asked for credentials.
    pub(super) fn may_be_anonymous(&mut self, rejection: Rejection) -> bool {
        self.is_left_to_service(rejection) && self.authorize(&Caller::default()) == Verdict::Allowed
    }

    fn decide(&self, caller: &Caller<'_>) -> Option<Decision> {
        let acl = self.config.acl.as_ref()?;
        // A list that was never asked has allowed nothing.
        let denied = Decision { action: Action::Deny, rule: None };
        let decision = self.matched.as_ref().map_or(denied, |matched| acl.decide(matched, caller));
        let copied = self.matched_copied.as_ref().map(|matched| acl.decide(matched, caller));
        let is_denied = |decision: &Decision| decision.action == Action::Deny;
        Some(copied.filter(|it| is_denied(it) && !is_denied(&decision)).unwrap_or(decision))
    }

    /// What the list has decided since this was asked last, for whoever counts.
    pub fn take_decision(&mut self) -> Option<Decision> {
        self.decision.take()
    }

    /// Names the rule where nobody but the operator reads it.
    pub(super) fn with_rule(&self, mut reply: Reply) -> Reply {
        if let (Some(acl), Some(decision)) = (&self.config.acl, self.decision) {
            reply.details = alloc::format!("{}[{}]", reply.details, acl.name(decision.rule));
        }
        reply
    }
}
