//! The checks of single values: their sizes, and whether they are the same.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::result::Result;

use super::{Checking, Frame, Next, Unfit};
use crate::schema::fault::What;
use crate::schema::json::{Json, Kind, repeated};
use crate::schema::node::Limit;
use crate::schema::number::Decimal;

impl Checking<'_> {
    /// Texts are sorted. All else is compared two by two, which the budget bounds.
    pub(super) fn unique(&mut self, frame: &Frame) -> Result<Next, Unfit> {
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
    pub(super) fn are_same(
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

    pub(super) fn has(&mut self, object: usize, name: &str) -> Result<bool, Unfit> {
        Ok(self.find(self.json, object, name)?.is_some())
    }

    /// The value of a key.
    pub(super) fn find(
        &mut self,
        json: &Json<'_>,
        object: usize,
        name: &str,
    ) -> Result<Option<usize>, Unfit> {
        for key in json.inside(object).step_by(2) {
            self.spend_on(json.raw(key).len())?;
            if json.text(key) == name {
                return Ok(Some(key + 1));
            }
        }
        Ok(None)
    }

    pub(super) fn compare(
        &mut self,
        value: usize,
        limit: &Limit,
        beyond: Ordering,
    ) -> Result<bool, Unfit> {
        let text = self.json.raw(value);
        self.spend_on(text.len())?;
        let order = Decimal::new(text).compare(&Decimal::new(&limit.text));
        Ok(order != beyond && !(limit.is_exclusive && order == Ordering::Equal))
    }

    /// In characters.
    pub(super) fn length(&mut self, value: usize) -> Result<usize, Unfit> {
        self.spend_on(self.json.raw(value).len())?;
        Ok(self.json.text(value).chars().count())
    }

    /// How many values are in one, and not in another in it.
    pub(super) fn size(&mut self, value: usize) -> Result<usize, Unfit> {
        let size = self.json.inside(value).count();
        self.spend_on(size)?;
        Ok(size)
    }

    pub(super) fn is_of_pattern(&mut self, text: &str, pattern: usize) -> Result<bool, Unfit> {
        self.spend_on(text.len() * 4)?;
        Ok(self.document.patterns.get(pattern).is_some_and(|pattern| pattern.matches(text)))
    }
}
