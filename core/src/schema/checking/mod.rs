//! Whether a value fits a node. Values and nodes are gone through with a stack of our own, and each step is
//! taken out of a budget: a text is refused that would cost more, whoever sent it.

mod inside;
mod values;

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::result::Result;

use super::document::Document;
use super::fault::{Fault, What};
use super::json::{Json, Kind};
use super::node::{Check, Types};
use super::number::Decimal;
use inside::all;

/// The most steps that the check of one request may take. A step is a value that is held against a node, a
/// key against a name, or two values against each other; of a text, each 64 bytes are one more.
pub const MAX_WORK: u32 = 400_000;

/// The most steps that a head may take, of a request of whoever it is: nobody has shown that yet.
pub const MAX_HEAD_WORK: u32 = 20_000;

/// The check of one text.
#[derive(Debug)]
pub(super) struct Checking<'a> {
    document: &'a Document,
    json: &'a Json<'a>,
    /// The steps that are left.
    work: u32,
    stack: Vec<Frame>,
    /// Why the text does not fit. While alternatives are tried, the reason that is deepest in it.
    fault: Option<Fault>,
}

/// A value that is held against a node.
#[derive(Clone, Copy, Debug)]
struct Frame {
    node: usize,
    value: usize,
    /// Which of the node's checks is under way.
    check: usize,
    progress: Progress,
}

/// How far a check is that looks at several values, or at one in several ways.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The item or key that is looked at.
    at: Option<usize>,
    /// How many items or alternatives were looked at; of a property, how many of its patterns.
    number: usize,
    /// How many alternatives fit, or how many of the required properties are there.
    count: usize,
    /// Whether the property that is looked at has a node.
    is_named: bool,
    /// The reason that there was before alternatives were tried.
    before: Option<Fault>,
}

/// Why a text does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Fault(Fault),
    /// There is more to do than may be done.
    TooComplex,
}

/// How a check goes on.
enum Next {
    /// When it is known whether this value fits this node.
    Enter {
        node: usize,
        value: usize,
    },
    Holds,
    /// The reason is noted.
    Fails,
}

impl<'a> Checking<'a> {
    /// Holds a whole text against a node. `work` is what is left to be done.
    pub(super) fn check(
        document: &'a Document,
        json: &'a Json<'a>,
        node: usize,
        work: &mut u32,
    ) -> Result<(), Unfit> {
        let mut this = Self { document, json, work: *work, stack: Vec::new(), fault: None };
        let fits = this.run(node);
        *work = this.work;
        if fits? {
            return Ok(());
        }
        Err(this.fault.map_or(Unfit::TooComplex, Unfit::Fault))
    }

    fn run(&mut self, node: usize) -> Result<bool, Unfit> {
        let mut known = self.enter(node, 0)?;
        while let Some(mut frame) = self.stack.pop() {
            known = self.go_on(&mut frame, known.take())?;
        }
        Ok(known == Some(true))
    }

    /// Begins to hold a value against a node: whether it fits, if that is known at once.
    fn enter(&mut self, node: usize, value: usize) -> Result<Option<bool>, Unfit> {
        self.spend(1)?;
        let checked = self.document.nodes.get(node).ok_or(Unfit::TooComplex)?;
        if !checked.types.has(self.json, value) {
            self.note(Fault { value, node, check: 0, what: What::Type });
            return Ok(Some(false));
        }
        if checked.checks.is_empty() {
            return Ok(Some(true));
        }
        if self.stack.len() >= MAX_STACK {
            return Err(Unfit::TooComplex);
        }
        self.stack.push(Frame { node, value, check: 0, progress: Progress::default() });
        Ok(None)
    }

    /// Goes on with a value, now that it is `known` whether what it waited for fits.
    fn go_on(&mut self, frame: &mut Frame, mut known: Option<bool>) -> Result<Option<bool>, Unfit> {
        let document = self.document;
        let node = document.nodes.get(frame.node).ok_or(Unfit::TooComplex)?;
        while let Some(check) = node.checks.get(frame.check) {
            match self.hold(frame, check, known.take())? {
                Next::Enter { node, value } => {
                    self.stack.push(*frame);
                    return self.enter(node, value);
                }
                Next::Holds => {
                    (frame.check, frame.progress) = (frame.check + 1, Progress::default());
                }
                Next::Fails => return Ok(Some(false)),
            }
        }
        Ok(Some(true))
    }

    fn hold(
        &mut self,
        frame: &mut Frame,
        check: &'a Check,
        known: Option<bool>,
    ) -> Result<Next, Unfit> {
        let (json, value, kind) = (self.json, frame.value, self.json.kind(frame.value));
        let holds = match check {
            Check::Properties(properties) if kind == Kind::Object => {
                return self.properties(frame, properties, known);
            }
            Check::Items { first, rest } if kind == Kind::Array => {
                return Ok(self.items(frame, first, *rest, known));
            }
            Check::All(nodes) => return Ok(all(frame, nodes, known)),
            Check::Any(_) | Check::One(_) | Check::Not(_) => {
                return Ok(self.alternatives(frame, check, known));
            }
            Check::DependentRequired(dependencies) if kind == Kind::Object => {
                return self.dependencies(frame, dependencies);
            }
            Check::UniqueItems if kind == Kind::Array => return self.unique(frame),
            Check::Enum(values) => {
                let mut is_one = false;
                for other in values {
                    is_one = is_one || self.are_same((json, value), (other, 0))?;
                }
                is_one
            }
            Check::Minimum(limit) if kind == Kind::Number => {
                self.compare(value, limit, Ordering::Less)?
            }
            Check::Maximum(limit) if kind == Kind::Number => {
                self.compare(value, limit, Ordering::Greater)?
            }
            Check::MultipleOf { divisor, .. } if kind == Kind::Number => {
                self.spend_on(json.raw(value).len())?;
                Decimal::new(json.raw(value)).is_multiple_of(*divisor)
            }
            Check::MinLength(least) if kind == Kind::Text => self.length(value)? >= *least,
            Check::MaxLength(most) if kind == Kind::Text => self.length(value)? <= *most,
            Check::Pattern(pattern) if kind == Kind::Text => {
                self.is_of_pattern(&json.text(value), *pattern)?
            }
            Check::MinItems(least) if kind == Kind::Array => self.size(value)? >= *least,
            Check::MaxItems(most) if kind == Kind::Array => self.size(value)? <= *most,
            Check::MinProperties(least) if kind == Kind::Object => self.size(value)? / 2 >= *least,
            Check::MaxProperties(most) if kind == Kind::Object => self.size(value)? / 2 <= *most,
            _ => true,
        };
        Ok(if holds { Next::Holds } else { self.fails(frame, value, What::Check) })
    }

    fn fails(&mut self, frame: &Frame, value: usize, what: What) -> Next {
        self.note(Fault { value, node: frame.node, check: frame.check, what });
        Next::Fails
    }

    /// Keeps the reason that is deepest in the text. That a property is not allowed at all is only what one
    /// alternative says to what is meant for another.
    fn note(&mut self, fault: Fault) {
        let is_vague = |fault: &Fault| {
            let node = self.document.nodes.get(fault.node);
            fault.what == What::Type && node.is_some_and(|node| node.types == Types::NONE)
        };
        let is_better = self.fault.is_none_or(|known| {
            (fault.value, !is_vague(&fault)) > (known.value, !is_vague(&known))
        });
        if is_better {
            self.fault = Some(fault);
        }
    }

    /// For a text of so many bytes.
    fn spend_on(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.spend(1 + bytes / BYTES_A_STEP)
    }

    fn spend(&mut self, steps: usize) -> Result<(), Unfit> {
        spend(&mut self.work, steps).ok_or(Unfit::TooComplex)
    }
}

/// Takes so many steps out of what may be done; `None` if there are not so many left.
pub(super) fn spend(work: &mut u32, steps: usize) -> Option<()> {
    *work = work.checked_sub(u32::try_from(steps).ok()?)?;
    Some(())
}

/// As many bytes of a text are read in the time of a step.
pub(super) const BYTES_A_STEP: usize = 64;

/// How many values may wait for others: texts are nested 127 times at most, and of nodes that follow each other
/// without going into a value there are few.
const MAX_STACK: usize = 2048;
