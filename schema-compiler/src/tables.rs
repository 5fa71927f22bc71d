//! The tables that a compiled document has: nodes and patterns, each once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use crate::pattern;
use crate::refusal::Refusal;

/// What is compiled so far of a document.
pub(crate) struct Tables<'a> {
    pub(crate) root: &'a Value,
    pub(crate) nodes: Vec<Value>,
    /// Where each node comes from.
    origins: Vec<String>,
    known: HashMap<String, usize>,
    /// The nodes that references lead to, by their pointers.
    pub(crate) references: BTreeMap<String, usize>,
    /// The types that what references lead to may have, where that says so.
    pub(crate) types: BTreeMap<String, Option<u8>>,
    /// What references of parameters lead to that are read as texts, and whether as lists of these.
    pub(crate) read_as_texts: BTreeSet<(String, bool)>,
    pub(crate) patterns: Vec<Value>,
    known_patterns: HashMap<String, Option<usize>>,
    pub(crate) refusals: Vec<Refusal>,
    /// How deep schemas are in schemas.
    pub(crate) depth: usize,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(root: &'a Value) -> Self {
        Self {
            root,
            nodes: Vec::new(),
            origins: Vec::new(),
            known: HashMap::new(),
            references: BTreeMap::new(),
            types: BTreeMap::new(),
            read_as_texts: BTreeSet::new(),
            patterns: Vec::new(),
            known_patterns: HashMap::new(),
            refusals: Vec::new(),
            depth: 0,
        }
    }

    pub(crate) fn refuse(&mut self, pointer: &str, keyword: &str, why: impl Into<String>) {
        self.note(Refusal::new(pointer, keyword, why));
    }

    /// What is referred to from several places is refused once.
    pub(crate) fn note(&mut self, refusal: Refusal) {
        if self.refusals.len() < MAX_REFUSALS && !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// The number of a node, which may be there already.
    pub(crate) fn add(&mut self, node: Value, pointer: &str) -> usize {
        let text = node.to_string();
        if let Some(number) = self.known.get(&text) {
            return *number;
        }
        let number = self.reserve(pointer);
        self.put(number, node);
        self.known.insert(text, number);
        number
    }

    /// The number of a node that is yet to be compiled.
    pub(crate) fn reserve(&mut self, pointer: &str) -> usize {
        if self.nodes.len() == MAX_NODES {
            self.refuse(pointer, "schema", format!("is one of more than {MAX_NODES} nodes"));
        }
        self.nodes.push(json!({}));
        self.origins.push(pointer.into());
        self.nodes.len() - 1
    }

    pub(crate) fn put(&mut self, number: usize, node: Value) {
        if let Some(place) = self.nodes.get_mut(number) {
            *place = node;
        }
    }

    /// The number of a pattern; `says` is for people.
    pub(crate) fn pattern(
        &mut self,
        source: &str,
        says: &str,
        pointer: &str,
        keyword: &str,
    ) -> Option<usize> {
        if let Some(number) = self.known_patterns.get(source) {
            return *number;
        }
        let number = match pattern::compile(source) {
            Ok(states) => {
                self.patterns.push(json!({"says": says, "states": states}));
                Some(self.patterns.len() - 1)
            }
            Err(why) => {
                self.refuse(pointer, keyword, format!("{source:?} {why}"));
                None
            }
        };
        self.known_patterns.insert(source.into(), number);
        number
    }

    /// A node that leads to itself without going into a value would be held against that for ever.
    pub(crate) fn refuse_endless(&mut self) {
        let same_value = |node: &Value| -> Vec<usize> {
            let lists =
                ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|it| node.get(it)?.as_array());
            let numbers = lists.flatten().chain(node.get("not"));
            numbers.filter_map(|it| usize::try_from(it.as_u64()?).ok()).collect()
        };
        let edges: Vec<_> = self.nodes.iter().map(same_value).collect();
        let mut is_done = vec![false; edges.len()];
        for start in 0..edges.len() {
            // A walk in depth: each node with those after it that are left.
            let mut is_open =
                vec![false; if is_done.get(start) == Some(&true) { 0 } else { edges.len() }];
            let mut walk = if is_open.is_empty() { Vec::new() } else { vec![(start, 0)] };
            while let Some((node, next)) = walk.pop() {
                if let Some(open) = is_open.get_mut(node) {
                    *open = true;
                }
                let Some(after) = edges.get(node).and_then(|it| it.get(next)).copied() else {
                    if let (Some(open), Some(done)) = (is_open.get_mut(node), is_done.get_mut(node))
                    {
                        (*open, *done) = (false, true);
                    }
                    continue;
                };
                walk.push((node, next + 1));
                if is_open.get(after) == Some(&true) {
                    let pointer = self.origins.get(after).cloned().unwrap_or_default();
                    return self.refuse(
                        &pointer,
                        "$ref",
                        "leads to itself, without going into a value",
                    );
                }
                if is_done.get(after) == Some(&false) {
                    walk.push((after, 0));
                }
            }
        }
    }
}

const MAX_NODES: usize = 20_000;

/// More do not help anybody.
const MAX_REFUSALS: usize = 100;
