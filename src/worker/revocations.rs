//! Drives the list of what was revoked.

use std::rc::Rc;

use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::gate::Input;
use voussoir_core::record::Revocations;
use voussoir_core::revocation::list::{Action, Call, Event, Report, Want};
use voussoir_core::time::{self, UnixTime};

use super::calls::{Purpose, Question};
use super::{Stream, Worker, now};
use crate::host::{self, Level};

impl Worker {
    /// Asks what was revoked on a request's behalf; `None` when there is nothing to tell yet.
    pub(super) fn want_revocations(
        &self,
        now: UnixTime,
        stream: &Rc<Stream>,
    ) -> Option<Input<'static>> {
        let (list, feed) = (self.revocations.as_ref()?, self.feed.as_ref()?);
        told(list.borrow_mut().want(now, stream.context_id, &feed.borrow()))
    }

    pub(super) fn handle_revocations(&self, now: UnixTime, event: Event<'_>) {
        if let (Some(list), Some(feed)) = (&self.revocations, &self.feed) {
            list.borrow_mut().handle(now, event, &feed.borrow());
        }
    }

    pub(super) fn revocations_fetched(&self, call: Call, answer: Result<Answer<'_>, FetchFailure>) {
        if let Some(now) = now() {
            self.handle_revocations(now, Event::Fetched(call, answer));
        }
    }

    /// Carries out one thing that the list asks for, if there is any: whether a request was resumed.
    pub(super) fn next_of_revocations(&self) -> Option<bool> {
        // First, lest an action be lost with it.
        let now = now()?;
        let action = self.revocations.as_ref()?.borrow_mut().next_action()?;
        match action {
            Action::Fetch { call, after, on_behalf_of } => {
                self.fetch_revocations(now, call, after, on_behalf_of);
            }
            Action::Resume { request, answer } => {
                if let Some(told) = told(answer) {
                    self.resume(request, told);
                }
                return Some(true);
            }
            Action::Report(report) => self.report_revocations(report),
        }
        Some(false)
    }

    fn fetch_revocations(&self, now: UnixTime, call: Call, after: u64, on_behalf_of: Option<u32>) {
        let path = Revocations::path(after);
        let trace = &self.trace_of(on_behalf_of);
        let question = Question { method: "GET", path: &path, etag: None, body: None, trace };
        let purpose = Purpose::Revocations(call);
        if let Err(failure) = self.ask_key_server(&question, purpose) {
            self.handle_revocations(now, Event::Fetched(call, Err(failure)));
        }
    }

    fn report_revocations(&self, report: Report) {
        self.metrics.count_revocation_load(report);
        if let Report::Failed { failure, retry_after } = report {
            let millis = time::millis(retry_after);
            let message = format!(
                "voussoir: what was revoked could not be read: {failure}; next try in {millis} ms"
            );
            host::log(Level::Warn, &message);
        }
    }
}

fn told(want: Want) -> Option<Input<'static>> {
    match want {
        Want::Ready(revoked) => Some(Input::Revocations(revoked)),
        Want::Refused { cause, retry_after } => Some(Input::Unknown { cause, retry_after }),
        Want::Parked => None,
    }
}
