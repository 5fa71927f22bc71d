//! The checks that look at several values, or at one in several ways: properties, items, alternatives.

use alloc::string::String;
use alloc::vec::Vec;
use core::result::Result;

use super::{Checking, Frame, Next, Progress, Unfit};
use crate::schema::fault::{Fault, What};
use crate::schema::node::{Check, Properties};

impl Checking<'_> {
    pub(super) fn properties(
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

    pub(super) fn items(
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

    pub(super) fn alternatives(
        &mut self,
        frame: &mut Frame,
        check: &Check,
        known: Option<bool>,
    ) -> Next {
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

    pub(super) fn dependencies(
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
}

/// Goes on with those that must fit all.
pub(super) fn all(frame: &mut Frame, nodes: &[usize], known: Option<bool>) -> Next {
    if known == Some(false) {
        return Next::Fails;
    }
    let Some(node) = nodes.get(frame.progress.number) else { return Next::Holds };
    frame.progress.number += 1;
    Next::Enter { node: *node, value: frame.value }
}
