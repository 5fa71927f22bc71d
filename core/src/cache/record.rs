//! What a cache has to know of the records that it keeps.

use alloc::string::String;
use core::fmt::Debug;
use core::hash::Hash;

use crate::fetch::{Answer, FetchFailure};
use crate::record::Thing;
use crate::refusal::Unknown;
use crate::time::UnixTime;

/// A kind of record: how it is asked for, read, and seen to be no longer true.
pub trait Record: Debug + Sized {
    /// Which one is wanted.
    type Question: Clone + Debug + Hash + Ord;
    /// Whom the question is about. A denial is about all questions with the same subject, and so is
    /// the limit to the questions that may be asked in vain.
    type Subject: Clone + Debug + Hash + Ord;
    /// Why there is none.
    type Fault: Copy + Debug + Eq + 'static;

    /// What slots of shared data are called that hold this kind.
    const SLOTS: &'static str;
    /// All faults there are.
    const FAULTS: &'static [Self::Fault];
    /// Why a request is refused while no record can be had.
    const UNAVAILABLE: Unknown;
    /// Whether the change feed tells of them. Those of which it does not are fresh for as long as is
    /// configured, also while it is silent.
    const IS_WATCHED: bool = true;
    /// The most bytes of an answer that all workers share. A record with ten roles takes about a
    /// kilobyte.
    const MAX_SHARED: usize = 4 * 1024;

    /// The question that this is the answer to.
    fn question(&self) -> &Self::Question;

    /// Whom a question is about.
    fn subject(question: &Self::Question) -> &Self::Subject;

    /// The one question that there is about a subject, if there is but one.
    fn only_question(subject: &Self::Subject) -> Option<&Self::Question>;

    /// The question as it is sent to a key server: JSON, the same each time, and the same for no other.
    fn json(question: &Self::Question) -> String;

    /// What an answer says; by default that of a key server.
    fn read(question: &Self::Question, answer: Answer<'_>) -> Result<Outcome<Self>, FetchFailure> {
        match answer.status()? {
            200 => Self::from_json(question, answer.body).map(Outcome::Record),
            404 => {
                let denial = Self::denial(answer.body).map(Outcome::Denied);
                denial.ok_or(FetchFailure::Status(404))
            }
            status => Err(FetchFailure::Status(status)),
        }
    }

    /// Reads the answer to a question from JSON.
    fn from_json(question: &Self::Question, json: &[u8]) -> Result<Self, FetchFailure>;

    /// Reads an answer 404, unless it says something else than that there is no such record.
    fn denial(json: &[u8]) -> Option<Self::Fault>;

    /// The name of a fault: what keys and metrics call it, and how it is written down.
    fn reason(fault: Self::Fault) -> &'static str;

    /// Why the record is good no more at a time, if it is not.
    fn fault(&self, now: UnixTime) -> Option<Self::Fault>;

    /// Whether it rests on one of the things for which `has_changed` holds.
    fn is_concerned(&self, has_changed: impl Fn(Thing<'_>) -> bool) -> bool;

    /// Whether there may be a record now for a subject that was denied one, when those things have
    /// changed for which `has_changed` holds.
    fn may_be_made(subject: &Self::Subject, has_changed: impl Fn(Thing<'_>) -> bool) -> bool;
}

/// What a believable answer says.
#[derive(Debug)]
pub enum Outcome<R: Record> {
    /// Here it is.
    Record(R),
    /// There is none, and that is all there is to know.
    Denied(R::Fault),
    /// Who asked may not know; another may, so that this is not remembered.
    DeniedToAsker(R::Fault),
}
