//! Nodes, and the patterns that they have.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::reader::Reader;
use crate::json::{Json as Value, Member, Writer};
use crate::schema::json::Json;
use crate::schema::node::{Check, Limit, Node, Properties, Property, Types};
use crate::schema::number::Divisor;
use crate::schema::pattern::{Pattern, State};

impl Reader {
    pub(super) fn node(&self, value: &Value) -> Node {
        self.object(value, "nodes");
        let mut types = Types::ALL;
        if value.get("type").is_some() {
            types = Types::NONE;
            for name in self.list(value, "type") {
                let with = name.as_text().and_then(|name| types.with(name));
                types = with.or_else(|| self.none("type")).unwrap_or(types);
            }
        }
        let mut checks = Vec::new();
        for Member { name, value: keyword } in value.members() {
            checks.extend(self.check(value, name, keyword));
        }
        let first = value.get("prefixItems").map(|it| self.node_numbers(it));
        let rest = self.optional_node(value, "items");
        if first.is_some() || rest.is_some() {
            checks.push(Check::Items { first: first.unwrap_or_default(), rest });
        }
        let properties = self.properties(value);
        let is_any = properties.named.is_empty() && properties.patterns.is_empty();
        if !is_any || properties.rest.is_some() {
            checks.push(Check::Properties(properties));
        }
        Node { types, checks }
    }

    /// What a keyword of a node says by itself.
    fn check(&self, node: &Value, name: &str, value: &Value) -> Option<Check> {
        Some(match name {
            "enum" => {
                let mut all = Vec::new();
                for value in self.list(node, "enum") {
                    match Json::read(written(value).into_vec().into()) {
                        Ok(json) => all.push(json),
                        Err(_) => self.note("enum"),
                    }
                }
                Check::Enum(all)
            }
            "minimum" => Check::Minimum(self.limit(value, false)?),
            "exclusiveMinimum" => Check::Minimum(self.limit(value, true)?),
            "maximum" => Check::Maximum(self.limit(value, false)?),
            "exclusiveMaximum" => Check::Maximum(self.limit(value, true)?),
            "multipleOf" => {
                let Limit { text, .. } = self.limit(value, false)?;
                let divisor = Divisor::new(&text).or_else(|| self.none("multipleOf"))?;
                Check::MultipleOf { divisor, text }
            }
            "minLength" => Check::MinLength(self.count(value)),
            "maxLength" => Check::MaxLength(self.count(value)),
            "pattern" => Check::Pattern(self.pattern_number(value)),
            "minItems" => Check::MinItems(self.count(value)),
            "maxItems" => Check::MaxItems(self.count(value)),
            "uniqueItems" => Check::UniqueItems,
            "minProperties" => Check::MinProperties(self.count(value)),
            "maxProperties" => Check::MaxProperties(self.count(value)),
            "dependentRequired" => {
                self.object(value, "dependentRequired");
                let mut all = Vec::new();
                for Member { name, value } in value.members() {
                    all.push((name.clone(), self.texts(value)));
                }
                Check::DependentRequired(all)
            }
            "allOf" => Check::All(self.node_numbers(value)),
            "anyOf" => Check::Any(self.node_numbers(value)),
            "oneOf" => Check::One(self.node_numbers(value)),
            "not" => Check::Not(self.node_number(value)),
            "type"
            | "items"
            | "prefixItems"
            | "properties"
            | "required"
            | "patternProperties"
            | "additionalProperties" => return None,
            _ => return self.none("nodes"),
        })
    }

    fn properties(&self, node: &Value) -> Properties {
        let required = node.get("required").map(|it| self.texts(it)).unwrap_or_default();
        let mut named = Vec::new();
        if let Some(properties) = node.get("properties") {
            self.object(properties, "properties");
            for Member { name, value } in properties.members() {
                let is_required = required.contains(name);
                let node = Some(self.node_number(value));
                named.push(Property { name: name.clone(), node, is_required });
            }
        }
        // They are in the order of their names, and stay so.
        for name in required {
            if let Err(place) = named.binary_search_by(|it: &Property| it.name.cmp(&name)) {
                named.insert(place, Property { name, node: None, is_required: true });
            }
        }
        let mut patterns = Vec::new();
        for pair in self.list(node, "patternProperties") {
            match pair.as_list() {
                Some([pattern, node]) => {
                    patterns.push((self.pattern_number(pattern), self.node_number(node)));
                }
                _ => self.note("patternProperties"),
            }
        }
        let rest = self.optional_node(node, "additionalProperties");
        let required = named.iter().filter(|property| property.is_required).count();
        Properties { named, patterns, rest, required }
    }

    /// A pattern: what it says, and for each state whether the text may end there (1), followed by threes of
    /// numbers: from which character, to which, and the state behind them.
    pub(super) fn pattern(&self, value: &Value) -> Pattern {
        self.object(value, "patterns");
        let mut states = Vec::new();
        for state in self.list(value, "states") {
            let mut numbers = Vec::new();
            for number in state.as_list().unwrap_or_default() {
                let number = number.as_usize().and_then(|number| u32::try_from(number).ok());
                numbers.extend(number.or_else(|| self.none("states")));
            }
            let Some((is_end, numbers)) = numbers.split_first() else {
                self.note("states");
                continue;
            };
            let mut steps = Vec::new();
            for step in numbers.chunks_exact(3) {
                if let [first, last, next] = step {
                    steps.extend(usize::try_from(*next).map(|next| (*first, *last, next)));
                }
            }
            states.push(State { is_end: *is_end == 1, steps });
        }
        Pattern { says: self.text(value, "says").into(), states }
    }

    fn limit(&self, value: &Value, is_exclusive: bool) -> Option<Limit> {
        let text = matches!(value, Value::Number(_)).then(|| written(value));
        Some(Limit { text: text.or_else(|| self.none("a limit"))?, is_exclusive })
    }
}

fn written(value: &Value) -> Box<[u8]> {
    let mut json = Writer::default();
    json.value(value);
    json.into_text().into_bytes().into()
}
