//! With which settings a request is looked at: those of the first route that is about it, or else the
//! plugin's own.
//!
//! A proxy gives its filters one configuration for all of its routes, so ours has routes in it.
//!
//! ```text
//!   head ──▶ Routes::choose ──▶ Settings of a route: a whole configuration, made of the plugin's own
//!                  │                                with the route's settings in their places
//!                  ├──▶ the plugin's own
//!                  └──▶ in doubt: servers may read the request as one of the route, or not
//! ```
//!
//! **A request in doubt is refused.** Which of two settings is the stricter one cannot be told in general, so
//! neither is taken for a path that servers may read in two ways, where a route is about the one and not
//! about the other. Nor where the proxy may have chosen its route by what the client claimed to be: what the proxy
//! tells of that is not of the route that the request takes once the claim is gone.

mod target;
#[cfg(test)]
mod tests;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

pub use target::Target;

use crate::acl::Readings;
use crate::config::Config;
use crate::head::{RequestHead, Told};
use target::{all, any};

/// The routes of a configuration, in order.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
    /// What the host has to tell of a request, each as the path of one of its properties.
    properties: Vec<Vec<String>>,
}

/// Some requests, and the settings for them.
#[derive(Clone, Debug)]
pub struct Route {
    /// What it is called in metrics.
    pub name: String,
    /// What is asked for; one of them is enough, and none stands for all.
    pub to: Vec<Target>,
    /// What the host tells of the request; all of it must hold.
    pub told: Vec<Expected>,
    /// The settings: a whole configuration, whose own routes are none.
    pub settings: Rc<Config>,
}

/// What a property of the host's must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The place of the property among those that routes ask for.
    pub property: usize,
    /// One of these.
    pub values: Vec<String>,
}

/// What a request is looked at with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The plugin's own settings.
    Own,
    /// Those of the route in this place.
    Route(usize),
    /// It may be about the route in this place, and may not.
    InDoubt(usize),
}

impl Routes {
    /// These routes, which ask for these properties.
    #[must_use]
    pub fn new(routes: Vec<Route>, properties: Vec<Vec<String>>) -> Self {
        Self { routes, properties }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The one in a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Route> {
        self.routes.get(place)
    }

    /// The paths of the properties that a head must come [with](RequestHead::with_properties).
    #[must_use]
    pub fn properties(&self) -> &[Vec<String>] {
        &self.properties
    }

    /// With which settings a request is looked at.
    #[must_use]
    pub fn choose(&self, head: RequestHead<'_>) -> Choice {
        if self.routes.is_empty() {
            return Choice::Own;
        }
        let readings = Readings::of(head.path());
        for (place, route) in self.routes.iter().enumerate() {
            match route.is_about(head, &readings) {
                Some(true) => return Choice::Route(place),
                Some(false) => {}
                None => return Choice::InDoubt(place),
            }
        }
        Choice::Own
    }
}

impl Route {
    /// `None` if servers may see that differently.
    fn is_about(&self, head: RequestHead<'_>, path: &Readings<'_>) -> Option<bool> {
        let told = all(self.told.iter().map(|expected| expected.is_met(head)));
        let targets = self.to.iter().map(|target| {
            all([target.has_host(head), target.has_method(head.method()), target.has_path(path)])
        });
        let is_target = if self.to.is_empty() { Some(true) } else { any(targets) };
        all([told, is_target])
    }
}

impl Expected {
    /// Where the host has nothing to tell, that is nothing which anybody expects.
    fn is_met(&self, head: RequestHead<'_>) -> Option<bool> {
        let Told(told) = head.property(self.property)?;
        Some(self.values.iter().any(|value| Some(value.as_bytes()) == told))
    }
}
