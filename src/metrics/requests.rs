//! What is counted of requests: how they are decided, and by which rule.

use std::cell::RefCell;

use voussoir_core::acl::{Acl, Decision};
use voussoir_core::config::{Config, Mode};
use voussoir_core::gate::{Mechanism, Verdict};
use voussoir_core::schema::{Enforcement, Outcome, Schemas};

use super::{counter, increment};

/// Those of the plugin's own settings first, and then those of each route's in order.
pub(super) struct RequestMetrics(Vec<Series>);

/// The series of the requests that are looked at with the same settings. There are some hundred for each, most of
/// which nobody ever sees: those of routes are made when they are needed.
struct Series {
    mode: Mode,
    /// What those of a route have behind their other labels.
    route: String,
    requests: Ids,
    decisions: Ids,
    checks: Ids,
}

/// The ids of the series that were made; those that the host refuses are remembered, too.
#[derive(Default)]
struct Ids(RefCell<Vec<(Counted, Option<u32>)>>);

/// What a series counts.
#[derive(PartialEq)]
enum Counted {
    Request(Verdict, Mechanism),
    Decision(Decision),
    /// By the place of the document.
    Check(usize, Outcome),
}

impl RequestMetrics {
    pub(super) fn define(config: &Config) -> Self {
        let own = Series::of(config, None);
        let taken = Mechanism::ALL.into_iter().filter(|mechanism| mechanism.is_taken(config));
        for verdict in Verdict::all() {
            for mechanism in taken.clone().filter(|mechanism| mechanism.can_be(verdict)) {
                own.request(verdict, mechanism);
            }
        }
        if let Some(acl) = &config.acl {
            acl.decisions().for_each(|decision| {
                own.decision(acl, decision);
            });
        }
        for place in 0..config.schemas.all.len() {
            for outcome in Outcome::all() {
                own.check(&config.schemas, (place, outcome));
            }
        }
        let routes = config.routes.iter();
        let routes = routes.map(|route| Series::of(&route.settings, Some(&route.name)));
        Self([own].into_iter().chain(routes).collect())
    }

    pub(super) fn count(&self, route: Option<usize>, mechanism: Mechanism, verdict: Verdict) {
        increment(self.series(route).and_then(|series| series.request(verdict, mechanism)));
    }

    pub(super) fn count_decision(&self, route: Option<usize>, acl: &Acl, decision: Decision) {
        increment(self.series(route).and_then(|series| series.decision(acl, decision)));
    }

    pub(super) fn count_check(
        &self,
        route: Option<usize>,
        schemas: &Schemas,
        check: (usize, Outcome),
    ) {
        increment(self.series(route).and_then(|series| series.check(schemas, check)));
    }

    fn series(&self, route: Option<usize>) -> Option<&Series> {
        self.0.get(route.map_or(0, |route| route + 1))
    }
}

impl Series {
    fn of(settings: &Config, route: Option<&str>) -> Self {
        Self {
            mode: settings.mode,
            route: route.map_or_else(String::new, |name| format!(";route={name}")),
            requests: Ids::default(),
            decisions: Ids::default(),
            checks: Ids::default(),
        }
    }

    /// What most of them have behind their own labels.
    fn labels(&self) -> String {
        format!(";mode={}{}", self.mode.name(), self.route)
    }

    fn request(&self, verdict: Verdict, mechanism: Mechanism) -> Option<u32> {
        self.requests.get(Counted::Request(verdict, mechanism), &|| {
            let (outcome, reason) = (verdict.outcome(), verdict.reason());
            let (labels, by) = (self.labels(), mechanism.name());
            format!(
                "voussoir_requests_total;outcome={outcome};reason={reason}{labels};mechanism={by}"
            )
        })
    }

    fn decision(&self, acl: &Acl, decision: Decision) -> Option<u32> {
        self.decisions.get(Counted::Decision(decision), &|| {
            let rule = acl.name(decision.rule);
            let action = decision.action.name();
            format!("voussoir_acl_decisions_total;rule={rule};action={action}{}", self.labels())
        })
    }

    fn check(&self, schemas: &Schemas, (place, outcome): (usize, Outcome)) -> Option<u32> {
        let governed = schemas.all.get(place)?;
        self.checks.get(Counted::Check(place, outcome), &|| {
            let mode = match (self.mode, governed.enforcement) {
                (Mode::Enforce, Enforcement::Report) => "report",
                (mode, _) => mode.name(),
            };
            let (document, result, route) = (&governed.name, outcome.name(), &self.route);
            format!(
                "voussoir_schema_checks_total;document={document};result={result};mode={mode}{route}"
            )
        })
    }
}

impl Ids {
    fn get(&self, what: Counted, name: &dyn Fn() -> String) -> Option<u32> {
        let mut ids = self.0.borrow_mut();
        if let Some((_, id)) = ids.iter().find(|(other, _)| *other == what) {
            return *id;
        }
        let id = counter(&name());
        ids.push((what, id));
        id
    }
}
