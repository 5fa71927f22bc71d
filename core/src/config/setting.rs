//! What is written in a configuration, and where it stands: what each section is read from.
//!
//! Reading goes on when something is wrong, which is noted, and what is made of it then has something in its
//! place that means nothing. **Nobody sees it:** [`super::Config::parse`] asks in the end whether anything was
//! wrong. So no field costs a branch, of which there were hundreds.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::time::Duration;

use super::{ConfigError, quantity};
use crate::json::{Json, Place, Step};

/// A value, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    /// `null` where nothing is written.
    pub(super) json: &'a Json,
    place: Place<'a>,
    /// What was wrong first.
    wrong: &'a OnceCell<ConfigError>,
}

impl<'a> Setting<'a> {
    /// The whole of a configuration.
    pub(super) fn whole(json: &'a Json, wrong: &'a OnceCell<ConfigError>) -> Self {
        Self { json, place: Place::Whole, wrong }
    }

    /// Another value in the same place.
    pub(super) fn with(self, json: &'a Json) -> Self {
        Self { json, ..self }
    }

    /// The field of this name.
    pub(super) fn field<'b>(&'b self, name: &'b str) -> Setting<'b> {
        self.inner(Step::Name(name), self.json.get(name).unwrap_or(&Json::Null))
    }

    /// Whether there is such a field, which may be `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.json.get(name).is_some()
    }

    fn inner<'b>(&'b self, step: Step<'b>, json: &'b Json) -> Setting<'b> {
        Setting { json, place: Place::Within(&self.place, step), wrong: self.wrong }
    }

    pub(super) fn is_section(&self) -> bool {
        matches!(self.json, Json::Object(_))
    }

    /// All fields that there are.
    pub(super) fn members(&self) -> impl Iterator<Item = Setting<'_>> {
        let members = self.json.members().iter();
        members.map(|member| self.inner(Step::Name(&member.name), &member.value))
    }

    /// What a field is called.
    pub(super) fn name(&self) -> &'a str {
        if let Place::Within(_, Step::Name(name)) = self.place { name } else { "" }
    }

    /// The values of a list.
    pub(super) fn values(&self) -> impl Iterator<Item = Setting<'_>> {
        let values = self.json.as_list().unwrap_or_default();
        values.iter().enumerate().map(|(place, json)| self.inner(Step::Number(place), json))
    }

    /// More values than these are wrong.
    pub(super) fn at_most(&self, most: usize, limits: &str) -> &Self {
        if self.values().count() > most {
            self.refuse(limits);
        }
        self
    }

    /// This, if it is there.
    pub(super) fn given(&self) -> Option<&Self> {
        self.is_given().then_some(self)
    }

    pub(super) fn is_given(&self) -> bool {
        !matches!(self.json, Json::Null)
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(self.json, Json::Bool(true))
    }

    pub(super) fn as_text(&self) -> Option<&'a str> {
        self.json.as_text()
    }

    /// A text for which this holds.
    pub(super) fn as_text_that(
        &self,
        default: &str,
        is_right: fn(&str) -> bool,
        limits: &str,
    ) -> String {
        let text = self.as_text().unwrap_or(default);
        if !is_right(text) {
            self.refuse(limits);
        }
        text.into()
    }

    pub(super) fn strings(&self) -> Vec<String> {
        self.each("", |text| Some(text.into()))
    }

    /// What is made of each text of a list.
    pub(super) fn each<T>(&self, limits: &str, make: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let mut all = Vec::new();
        for value in self.values() {
            match make(value.as_text().unwrap_or_default()) {
                Some(one) => all.push(one),
                None => value.refuse(limits),
            }
        }
        all
    }

    /// The text of a field.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.json.get(name).and_then(Json::as_text)
    }

    /// A text for which this holds.
    pub(super) fn text_that(
        &self,
        name: &str,
        default: &str,
        is_right: fn(&str) -> bool,
        limits: &str,
    ) -> String {
        self.field(name).as_text_that(default, is_right, limits)
    }

    /// The same, if it is there.
    pub(super) fn optional(
        &self,
        name: &str,
        is_right: fn(&str) -> bool,
        limits: &str,
    ) -> Option<String> {
        let field = self.field(name);
        field.given().map(|field| field.as_text_that("", is_right, limits))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        if let Some(Json::Bool(truth)) = self.json.get(name) { *truth } else { default }
    }

    /// A number within limits.
    pub(super) fn count(
        &self,
        name: &str,
        default: usize,
        within: (usize, usize),
        limits: &str,
    ) -> usize {
        let field = self.field(name);
        field.within(field.json.as_usize().unwrap_or(default), within, limits)
    }

    /// A number of bytes within limits.
    pub(super) fn size(
        &self,
        name: &str,
        default: usize,
        within: (usize, usize),
        limits: &str,
    ) -> usize {
        let field = self.field(name);
        let size = field.as_text().map_or(Some(default), quantity::size);
        field.within(size.unwrap_or(usize::MAX), within, limits)
    }

    /// A duration within limits in milliseconds.
    pub(super) fn time(
        &self,
        name: &str,
        default: Duration,
        (least, most): (u64, u64),
        limits: &str,
    ) -> Duration {
        let field = self.field(name);
        let time = field.as_text().map_or(Some(default), quantity::duration);
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
        time.filter(|time| (least..=most).contains(time)).unwrap_or_else(|| {
            field.refuse(limits);
            default
        })
    }

    fn within(&self, number: usize, (least, most): (usize, usize), limits: &str) -> usize {
        if number < least || number > most {
            self.refuse(limits);
        }
        number
    }

    /// It is not within its limits; the text says what they are.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse(&self, limits: &str) {
        self.note(format!("must be {limits}"));
    }

    /// Something is wrong with it.
    #[cold]
    #[inline(never)]
    pub(super) fn note(&self, problem: String) {
        // There may have been something before.
        let _ = self.wrong.set(ConfigError::new(self.place.path(), problem));
    }
}
