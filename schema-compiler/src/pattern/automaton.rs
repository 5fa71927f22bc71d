//! From an expression to an automaton: nondeterministic first (Thompson), then deterministic (subsets), then as
//! small as it can be (Moore).

use std::collections::{BTreeSet, HashMap};

use super::parse::{LAST, Tree, Why, parse};

/// Compiles an expression that may stand anywhere in a text. Each state has whether the text may end there (1),
/// and then threes: from which character, to which, and the state behind them.
pub(crate) fn compile(source: &str) -> Result<Vec<Vec<u32>>, Why> {
    let tree = parse(source)?;
    let mut graph = Graph::default();
    let any = Tree::Times(Box::new(Tree::Set(vec![(0, LAST)])), 0, None);
    let start = graph.state()?;
    let begun = graph.build(&any, start)?;
    let ended = graph.build(&tree, begun)?;
    // Whatever comes then, the text has it.
    let end = graph.state()?;
    graph.edge(ended, Edge::Empty(end));
    graph.edge(end, Edge::Set(vec![(0, LAST)], end));
    let states = subsets(&graph, start, end)?;
    let states = smallest(&living(states));
    let steps: usize = states.iter().map(|state| state.steps.len()).sum();
    if states.len() > MAX_STATES || steps > MAX_STEPS {
        return Err(format!(
            "needs more than {MAX_STATES} states, or {MAX_STEPS} steps between them"
        ));
    }
    Ok(states.iter().map(State::written).collect())
}

#[derive(Default)]
struct Graph {
    edges: Vec<Vec<Edge>>,
}

#[derive(Clone)]
enum Edge {
    Empty(usize),
    Start(usize),
    End(usize),
    Set(Vec<(u32, u32)>, usize),
}

/// Of the deterministic one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    is_end: bool,
    steps: Vec<(u32, u32, usize)>,
}

impl Graph {
    fn state(&mut self) -> Result<usize, Why> {
        if self.edges.len() >= MAX_GRAPH {
            return Err(format!("is longer than {MAX_GRAPH} states when it is written out"));
        }
        self.edges.push(Vec::new());
        Ok(self.edges.len() - 1)
    }

    fn edge(&mut self, from: usize, edge: Edge) {
        if let Some(edges) = self.edges.get_mut(from) {
            edges.push(edge);
        }
    }

    /// Adds what leads from a state, and gives where it leads to.
    fn build(&mut self, tree: &Tree, from: usize) -> Result<usize, Why> {
        match tree {
            Tree::Set(set) => {
                let to = self.state()?;
                self.edge(from, Edge::Set(set.clone(), to));
                Ok(to)
            }
            Tree::Start => {
                let to = self.state()?;
                self.edge(from, Edge::Start(to));
                Ok(to)
            }
            Tree::End => {
                let to = self.state()?;
                self.edge(from, Edge::End(to));
                Ok(to)
            }
            Tree::Each(parts) => parts.iter().try_fold(from, |at, part| self.build(part, at)),
            Tree::One(parts) => {
                let to = self.state()?;
                for part in parts {
                    let begun = self.state()?;
                    self.edge(from, Edge::Empty(begun));
                    let ended = self.build(part, begun)?;
                    self.edge(ended, Edge::Empty(to));
                }
                Ok(to)
            }
            Tree::Times(inside, least, most) => {
                let mut at = from;
                for _ in 0..*least {
                    at = self.build(inside, at)?;
                }
                let to = self.state()?;
                self.edge(at, Edge::Empty(to));
                if let Some(most) = most {
                    for _ in *least..*most {
                        at = self.build(inside, at)?;
                        self.edge(at, Edge::Empty(to));
                    }
                } else {
                    let again = self.state()?;
                    self.edge(at, Edge::Empty(again));
                    let ended = self.build(inside, again)?;
                    self.edge(ended, Edge::Empty(again));
                    self.edge(again, Edge::Empty(to));
                }
                Ok(to)
            }
        }
    }

    /// All states that are reached without a character.
    fn closure(
        &self,
        states: impl IntoIterator<Item = usize>,
        is_start: bool,
        is_end: bool,
    ) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<usize> = states.into_iter().collect();
        while let Some(state) = next.pop() {
            if !reached.insert(state) {
                continue;
            }
            for edge in self.edges.get(state).into_iter().flatten() {
                match edge {
                    Edge::Empty(to) => next.push(*to),
                    Edge::Start(to) if is_start => next.push(*to),
                    Edge::End(to) if is_end => next.push(*to),
                    _ => {}
                }
            }
        }
        reached
    }
}

fn subsets(graph: &Graph, start: usize, end: usize) -> Result<Vec<State>, Why> {
    let mut sets = vec![graph.closure([start], true, false)];
    // Nothing leads back to where a text begins: what holds there holds nowhere else.
    let mut known = HashMap::new();
    let mut states = Vec::new();
    while let Some(set) = sets.get(states.len()).cloned() {
        let is_start = states.is_empty();
        let is_end = graph.closure(set.iter().copied(), is_start, true).contains(&end);
        // Whoever got to the end stays there.
        if set.contains(&end) {
            states.push(State { is_end: true, steps: vec![(0, LAST, states.len())] });
            continue;
        }
        let mut state = State { is_end, steps: Vec::new() };
        for (first, last, targets) in steps(graph, &set) {
            let mut target = graph.closure(targets, false, false);
            if target.contains(&end) {
                target = BTreeSet::from([end]);
            }
            let number = *known.entry(target.clone()).or_insert_with(|| {
                sets.push(target);
                sets.len() - 1
            });
            state.steps.push((first, last, number));
        }
        if sets.len() > MAX_SUBSETS {
            return Err(format!("needs more than {MAX_SUBSETS} states"));
        }
        states.push(state);
    }
    Ok(states)
}

/// Where the characters lead to from a set of states: ranges that do not overlap.
fn steps(graph: &Graph, set: &BTreeSet<usize>) -> Vec<(u32, u32, BTreeSet<usize>)> {
    let edges: Vec<(u32, u32, usize)> = set
        .iter()
        .filter_map(|state| graph.edges.get(*state))
        .flatten()
        .filter_map(|edge| match edge {
            Edge::Set(ranges, to) => Some(ranges.iter().map(|(first, last)| (*first, *last, *to))),
            _ => None,
        })
        .flatten()
        .collect();
    let bounds: BTreeSet<u32> =
        edges.iter().flat_map(|(first, last, _)| [*first, last + 1]).collect();
    let bounds: Vec<u32> = bounds.into_iter().collect();
    let between = bounds.windows(2).filter_map(|pair| match pair {
        [first, after] => Some((*first, after - 1)),
        _ => None,
    });
    let targets = |(first, last): (u32, u32)| {
        let covers = |(from, to, _): &&(u32, u32, usize)| *from <= first && last <= *to;
        let targets: BTreeSet<usize> = edges.iter().filter(covers).map(|(_, _, to)| *to).collect();
        (first, last, targets)
    };
    between.map(targets).filter(|(_, _, targets)| !targets.is_empty()).collect()
}

/// Without steps to states from which no end is reached.
fn living(mut states: Vec<State>) -> Vec<State> {
    let mut lives: Vec<bool> = states.iter().map(|state| state.is_end).collect();
    loop {
        let leads =
            |state: &State| state.steps.iter().any(|(_, _, to)| lives.get(*to) == Some(&true));
        let next: Vec<bool> =
            states.iter().zip(&lives).map(|(state, lives)| *lives || leads(state)).collect();
        if next == lives {
            break;
        }
        lives = next;
    }
    for state in &mut states {
        state.steps.retain(|(_, _, to)| lives.get(*to) == Some(&true));
    }
    states
}

/// Without states that nothing tells from others, and those that are not reached.
fn smallest(states: &[State]) -> Vec<State> {
    let mut classes: Vec<usize> = states.iter().map(|state| usize::from(state.is_end)).collect();
    let mut count = 0;
    loop {
        let mut known = HashMap::new();
        let next: Vec<usize> = states
            .iter()
            .zip(&classes)
            .map(|(state, class)| {
                let fresh = known.len();
                *known.entry((*class, merged(&state.steps, &classes))).or_insert(fresh)
            })
            .collect();
        let is_stable = known.len() == count;
        count = known.len();
        classes = next;
        if is_stable {
            break;
        }
    }
    // In the order in which they are reached, the first one first.
    let mut order: Vec<usize> = classes.first().copied().into_iter().collect();
    let mut result = Vec::new();
    while let Some(class) = order.get(result.len()).copied() {
        let member = classes.iter().position(|it| *it == class).and_then(|it| states.get(it));
        let Some(member) = member else { break };
        let steps = merged(&member.steps, &classes);
        let mut renumbered = Vec::new();
        for (first, last, to) in steps {
            let place = order.iter().position(|it| *it == to).unwrap_or_else(|| {
                order.push(to);
                order.len() - 1
            });
            renumbered.push((first, last, place));
        }
        result.push(State { is_end: member.is_end, steps: renumbered });
    }
    result
}

/// Steps to the classes of states; neighbours that lead to the same one are one.
fn merged(steps: &[(u32, u32, usize)], classes: &[usize]) -> Vec<(u32, u32, usize)> {
    let mut merged: Vec<(u32, u32, usize)> = Vec::new();
    for (first, last, to) in steps {
        let class = classes.get(*to).copied().unwrap_or_default();
        match merged.last_mut() {
            Some((_, end, same)) if *same == class && *end + 1 == *first => *end = *last,
            _ => merged.push((*first, *last, class)),
        }
    }
    merged
}

impl State {
    fn written(&self) -> Vec<u32> {
        let steps = self.steps.iter();
        let steps = steps
            .flat_map(|(first, last, to)| [*first, *last, u32::try_from(*to).unwrap_or(u32::MAX)]);
        std::iter::once(u32::from(self.is_end)).chain(steps).collect()
    }
}

/// Of an expression, written out.
const MAX_GRAPH: usize = 20_000;

/// Before what is the same becomes one.
const MAX_SUBSETS: usize = 4_000;

/// Of what the filter holds.
const MAX_STATES: usize = 1_000;
const MAX_STEPS: usize = 8_000;
