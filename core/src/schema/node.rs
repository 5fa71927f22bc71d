//! What a value must be: nodes, which refer to others by their numbers.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::json::{Json, Kind};
use super::number::{Decimal, Divisor};

/// What a value must be.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The types that it may have.
    pub(super) types: Types,
    /// What must hold besides.
    pub(super) checks: Vec<Check>,
}

/// A set of the types of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

/// One thing that must hold of a value. What is about another type than the value's holds.
#[derive(Clone, Debug)]
pub(super) enum Check {
    /// It is one of these.
    Enum(Vec<Json<'static>>),
    Minimum(Limit),
    Maximum(Limit),
    MultipleOf {
        divisor: Divisor,
        text: Box<[u8]>,
    },
    MinLength(usize),
    MaxLength(usize),
    /// By its number.
    Pattern(usize),
    MinItems(usize),
    MaxItems(usize),
    UniqueItems,
    Items {
        first: Vec<usize>,
        rest: Option<usize>,
    },
    MinProperties(usize),
    MaxProperties(usize),
    Properties(Properties),
    /// Where there is the one, there are the others.
    DependentRequired(Vec<(String, Vec<String>)>),
    All(Vec<usize>),
    Any(Vec<usize>),
    One(Vec<usize>),
    Not(usize),
}

/// A number that another one is compared with.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) text: Box<[u8]>,
    /// Whether it must not be that number itself.
    pub(super) is_exclusive: bool,
}

/// What is said of the properties of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Properties {
    /// In the order of their names.
    pub(super) named: Vec<Property>,
    /// Those whose names are in a pattern.
    pub(super) patterns: Vec<(usize, usize)>,
    /// All others.
    pub(super) rest: Option<usize>,
    /// How many of the named ones are required.
    pub(super) required: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) node: Option<usize>,
    pub(super) is_required: bool,
}

impl Types {
    pub(super) const NAMES: [&'static str; 7] =
        ["null", "boolean", "object", "array", "number", "string", "integer"];
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(0x3f);

    pub(super) fn with(self, name: &str) -> Option<Self> {
        let place = Self::NAMES.iter().position(|other| *other == name)?;
        Some(Self(self.0 | 1 << place))
    }

    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let names = Self::NAMES.into_iter().enumerate();
        names.filter(move |(place, _)| self.0 >> place & 1 == 1).map(|(_, name)| name)
    }

    pub(super) fn has(self, json: &Json<'_>, value: usize) -> bool {
        let place = match json.kind(value) {
            Kind::Null => 0,
            Kind::False | Kind::True => 1,
            Kind::Object => 2,
            Kind::Array => 3,
            Kind::Number => 4,
            Kind::Text => 5,
        };
        self.0 >> place & 1 == 1
            || (place == 4 && self.0 >> 6 == 1 && Decimal::new(json.raw(value)).is_integer())
    }
}

impl Check {
    /// What the property is called that is required.
    pub(super) fn name(&self, place: usize, number: usize) -> &str {
        let name = match self {
            Self::Properties(all) => all.named.get(place).map(|it| &it.name),
            Self::DependentRequired(all) => all.get(place).and_then(|(_, names)| names.get(number)),
            _ => None,
        };
        name.map_or("", String::as_str)
    }
}

impl Properties {
    pub(super) fn named(&self, name: &str) -> Option<&Property> {
        let place = self.named.partition_point(|property| *property.name < *name);
        self.named.get(place).filter(|property| property.name == name)
    }
}
