//! Whether a value fits a node. Values and nodes are gone through with a stack of our own, and each step is
//! taken out of a budget: a text is refused that would cost more, whoever sent it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::result::Result;

use super::document::Document;
use super::fault::{Fault, What};
use super::json::{Json, Kind, repeated};
use super::node::{Check, Limit, Properties, Types};
use super::number::Decimal;

/// The most steps that the check of one request may take. A step is a value that is held against a node, a
/// key against a name, or two values against each other; of a text, each 64 bytes are one more.
pub const MAX_WORK: u32 = 400_000;

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

    fn properties(
        &mut self,
        frame: &mut Frame,
        properties: &Properties,
        known: Option<bool>,
    ) -> Result<Next, Unfit> {
        if known == Some(false) {
            return Ok(Next::Fails);
        }
        let (document, json) = (self.document, self.json);
        let progress = &mut frame.progress;
        let is_resumed = known.is_some();
        let mut key = progress.at.unwrap_or(frame.value + 1);
        let mut is_new = !is_resumed;
        while key < json.next(frame.value) {
            let name = json.text(key);
            self.spend_on(name.len())?;
            let value = key + 1;
            if is_new {
                *progress =
                    Progress { at: Some(key), count: progress.count, ..Progress::default() };
                if let Some(property) = properties.named(&name) {
                    progress.count += usize::from(property.is_required);
                    if let Some(node) = property.node {
                        progress.is_named = true;
                        return Ok(Next::Enter { node, value });
                    }
                }
            }
            while let Some((pattern, node)) = properties.patterns.get(progress.number) {
                progress.number += 1;
                self.spend_on(name.len() * 4)?;
                if document.patterns.get(*pattern).is_some_and(|it| it.matches(&name)) {
                    progress.is_named = true;
                    return Ok(Next::Enter { node: *node, value });
                }
            }
            if let Some(node) = properties.rest.filter(|_| !progress.is_named) {
                progress.is_named = true;
                return Ok(Next::Enter { node, value });
            }
            key = json.next(value);
            is_new = true;
        }
        if progress.count == properties.required {
            return Ok(Next::Holds);
        }
        for (place, property) in properties.named.iter().enumerate() {
            if property.is_required && !self.has(frame.value, &property.name)? {
                return Ok(self.fails(frame, frame.value, What::Missing(place, 0)));
            }
        }
        Err(Unfit::TooComplex)
    }

    fn items(
        &mut self,
        frame: &mut Frame,
        first: &[usize],
        rest: Option<usize>,
        known: Option<bool>,
    ) -> Next {
        if known == Some(false) {
            return Next::Fails;
        }
        let progress = &mut frame.progress;
        let value = progress.at.map_or(frame.value + 1, |item| self.json.next(item));
        let node = first.get(progress.number).copied().or(rest);
        let Some(node) = node.filter(|_| value < self.json.next(frame.value)) else {
            return Next::Holds;
        };
        (progress.at, progress.number) = (Some(value), progress.number + 1);
        Next::Enter { node, value }
    }

    fn alternatives(&mut self, frame: &mut Frame, check: &Check, known: Option<bool>) -> Next {
        let (nodes, most) = match check {
            Check::Any(nodes) => (&**nodes, usize::MAX),
            Check::One(nodes) => (&**nodes, 1),
            Check::Not(node) => (core::slice::from_ref(node), 0),
            _ => return Next::Holds,
        };
        let progress = &mut frame.progress;
        if known.is_none() {
            progress.before = self.fault.take();
        }
        progress.count += usize::from(known == Some(true));
        let is_over = progress.count > most || (progress.count > 0 && most == usize::MAX);
        if let Some(node) = nodes.get(progress.number).filter(|_| !is_over) {
            progress.number += 1;
            return Next::Enter { node: *node, value: frame.value };
        }
        let (count, deepest) = (progress.count, self.fault.take());
        self.fault = progress.before.take();
        if count <= most && (count > 0 || most == 0) {
            return Next::Holds;
        }
        // What is wrong inside says more than that nothing fits.
        let is_inside = |fault: &Fault| count == 0 && fault.value > frame.value;
        if let Some(deepest) = deepest.filter(is_inside) {
            self.note(deepest);
            return Next::Fails;
        }
        let what = if count > 1 { What::Several } else { What::Check };
        self.fails(frame, frame.value, what)
    }

    fn dependencies(
        &mut self,
        frame: &Frame,
        dependencies: &[(String, Vec<String>)],
    ) -> Result<Next, Unfit> {
        for (place, (name, others)) in dependencies.iter().enumerate() {
            if !self.has(frame.value, name)? {
                continue;
            }
            for (number, other) in others.iter().enumerate() {
                if !self.has(frame.value, other)? {
                    return Ok(self.fails(frame, frame.value, What::Missing(place, number)));
                }
            }
        }
        Ok(Next::Holds)
    }

    /// Texts are sorted. All else is compared two by two, which the budget bounds.
    fn unique(&mut self, frame: &Frame) -> Result<Next, Unfit> {
        let json = self.json;
        let mut texts: Vec<(Cow<'_, str>, usize)> = Vec::new();
        let mut others: Vec<usize> = Vec::new();
        for item in json.inside(frame.value) {
            self.spend_on(json.raw(item).len())?;
            if json.kind(item) == Kind::Text {
                texts.push((json.text(item), item));
                continue;
            }
            for other in &others {
                if self.are_same((json, *other), (json, item))? {
                    return Ok(self.fails(frame, item, What::Check));
                }
            }
            others.push(item);
        }
        Ok(match repeated(&mut texts) {
            Some(item) => self.fails(frame, item, What::Check),
            None => Next::Holds,
        })
    }

    /// Whether two values are the same (JSON Schema Core, section 4.2.2).
    fn are_same(
        &mut self,
        (json, value): (&Json<'_>, usize),
        (other, other_value): (&Json<'_>, usize),
    ) -> Result<bool, Unfit> {
        let mut pairs = Vec::from([(value, other_value)]);
        while let Some((value, other_value)) = pairs.pop() {
            let kind = json.kind(value);
            self.spend(1)?;
            if kind != other.kind(other_value) {
                return Ok(false);
            }
            if matches!(kind, Kind::Number | Kind::Text) {
                self.spend_on(json.raw(value).len().saturating_add(other.raw(other_value).len()))?;
            }
            let (mut values, mut others) = (json.inside(value), other.inside(other_value));
            let are_same = match kind {
                Kind::Null | Kind::False | Kind::True => true,
                Kind::Number => {
                    let number = Decimal::new(json.raw(value));
                    number.compare(&Decimal::new(other.raw(other_value))) == Ordering::Equal
                }
                Kind::Text => json.text(value) == other.text(other_value),
                Kind::Array => loop {
                    match (values.next(), others.next()) {
                        (Some(value), Some(other_value)) => pairs.push((value, other_value)),
                        (None, None) => break true,
                        _ => break false,
                    }
                },
                Kind::Object => {
                    let mut count = 0;
                    while let (Some(key), Some(_)) = (values.next(), values.next()) {
                        count += 2;
                        let name = json.text(key);
                        let Some(found) = self.find(other, other_value, &name)? else {
                            return Ok(false);
                        };
                        pairs.push((key + 1, found));
                    }
                    count == others.count()
                }
            };
            if !are_same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has(&mut self, object: usize, name: &str) -> Result<bool, Unfit> {
        Ok(self.find(self.json, object, name)?.is_some())
    }

    /// The value of a key.
    fn find(&mut self, json: &Json<'_>, object: usize, name: &str) -> Result<Option<usize>, Unfit> {
        for key in json.inside(object).step_by(2) {
            self.spend_on(json.raw(key).len())?;
            if json.text(key) == name {
                return Ok(Some(key + 1));
            }
        }
        Ok(None)
    }

    fn compare(&mut self, value: usize, limit: &Limit, beyond: Ordering) -> Result<bool, Unfit> {
        let text = self.json.raw(value);
        self.spend_on(text.len())?;
        let order = Decimal::new(text).compare(&Decimal::new(&limit.text));
        Ok(order != beyond && !(limit.is_exclusive && order == Ordering::Equal))
    }

    /// In characters.
    fn length(&mut self, value: usize) -> Result<usize, Unfit> {
        self.spend_on(self.json.raw(value).len())?;
        Ok(self.json.text(value).chars().count())
    }

    /// How many values are in one, and not in another in it.
    fn size(&mut self, value: usize) -> Result<usize, Unfit> {
        let size = self.json.inside(value).count();
        self.spend_on(size)?;
        Ok(size)
    }

    fn is_of_pattern(&mut self, text: &str, pattern: usize) -> Result<bool, Unfit> {
        self.spend_on(text.len() * 4)?;
        Ok(self.document.patterns.get(pattern).is_some_and(|pattern| pattern.matches(text)))
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
        self.spend(1 + u32::try_from(bytes / 64).unwrap_or(u32::MAX - 1))
    }

    fn spend(&mut self, steps: u32) -> Result<(), Unfit> {
        self.work = self.work.checked_sub(steps).ok_or(Unfit::TooComplex)?;
        Ok(())
    }
}

fn all(frame: &mut Frame, nodes: &[usize], known: Option<bool>) -> Next {
    if known == Some(false) {
        return Next::Fails;
    }
    let Some(node) = nodes.get(frame.progress.number) else { return Next::Holds };
    frame.progress.number += 1;
    Next::Enter { node: *node, value: frame.value }
}

/// How many values may wait for others: texts are nested 127 times at most, and of nodes that follow each other
/// without going into a value there are few.
const MAX_STACK: usize = 2048;
