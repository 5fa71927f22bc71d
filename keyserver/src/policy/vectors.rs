//! Lists of policies, and what oslo.policy's own code says of the same requests (`tests/vectors/`): a list is never
//! stricter than it where what is in doubt is left to the service, and never laxer where that is denied.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use voussoir_core::acl::{Acl, Action, Asked, Caller};
use voussoir_core::config::Config;
use voussoir_core::head::RequestHead;
use voussoir_core::record::IdentityRecord;

use super::{Compiled, InDoubt, NotCompiled, Sample, Terms, check, compile, policies};

#[derive(Deserialize)]
struct Vectors {
    services: Vec<Service>,
    renamed: Vec<Renamed>,
}

/// A policy file of the first service, with names that policies had before.
#[derive(Deserialize)]
struct Renamed {
    rules: String,
    /// The policies for which oslo.policy takes what stands under another name.
    taken: Vec<String>,
}

#[derive(Deserialize)]
struct Service {
    sample: String,
    rules: String,
    prefix: String,
    never: Vec<String>,
    people: Vec<Person>,
    requests: Vec<Request>,
}

/// Method, path, who asks, and what each of the policies says that are about it.
#[derive(Deserialize)]
struct Request(String, String, usize, Vec<bool>);

#[derive(Deserialize)]
struct Person {
    user_id: String,
    user_domain_id: String,
    project_id: Option<String>,
    project_domain_id: Option<String>,
    domain_id: Option<String>,
    system_scope: Option<String>,
    roles: Vec<String>,
}

impl Service {
    fn compile(&self, in_doubt: InDoubt) -> Result<Compiled, NotCompiled> {
        self.compile_with(&self.rules, in_doubt)
    }

    fn compile_with(&self, rules: &str, in_doubt: InDoubt) -> Result<Compiled, NotCompiled> {
        let sample = Sample::parse(&self.sample).unwrap();
        let prefixes = vec![self.prefix.clone()];
        let never = self.never.iter().map(|text| check(text).unwrap()).collect();
        compile(&sample, policies(rules).unwrap(), &Terms { prefixes, never, in_doubt })
    }

    fn list(&self, in_doubt: InDoubt) -> Result<Acl, NotCompiled> {
        let acl = self.compile(in_doubt)?.acl;
        let config = json!({"keyserver": {"cluster": "k"},
                            "token": {"www_authenticate_uri": "http://k"}, "acl": acl});
        Ok(Config::parse(config.to_string().as_bytes()).unwrap().acl.unwrap())
    }
}

impl Person {
    fn record(&self) -> IdentityRecord {
        let domain = |id: &Option<String>| id.as_ref().map(|id| json!({"id": id}));
        let mut record = json!({
            "user": {"id": self.user_id, "domain": {"id": self.user_domain_id}},
            "roles": self.roles.iter().map(|name| json!({"name": name})).collect::<Value>(),
            "is_system": self.system_scope.is_some(),
        });
        if let Some(id) = &self.project_id {
            record["project"] = json!({"id": id, "domain": domain(&self.project_domain_id)});
        }
        if let Some(domain) = domain(&self.domain_id) {
            record["domain"] = domain;
        }
        serde_json::from_value(record).unwrap()
    }
}

fn is_allowed(acl: &Acl, Request(method, path, ..): &Request, person: &Person) -> bool {
    let headers = [(&b":method"[..], method.as_bytes()), (b":path", path.as_bytes())];
    let record = person.record();
    let matched = acl.matched(Asked::of(RequestHead::new(&headers), acl.s3_hosts()));
    acl.decide(&matched, &Caller::from(&record)).action == Action::Allow
}

fn vectors() -> Vectors {
    let text = include_str!("../../../tests/vectors/policies-6.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_is_left_to_the_service_is_never_stricter_than_oslo_policy() {
    for service in vectors().services {
        let list = service.list(InDoubt::Leave).unwrap();
        let mut denied = 0;
        for request in &service.requests {
            let Request(method, path, person, policies) = request;
            let is_allowed = is_allowed(&list, request, &service.people[*person]);
            let some = policies.iter().any(|it| *it);
            assert!(is_allowed || !some, "too strict: {method} {path}");
            denied += usize::from(!is_allowed);
        }
        assert!(denied * 10 > service.requests.len(), "{denied} denied");
    }
}

#[test]
fn what_is_denied_in_doubt_is_never_laxer_than_oslo_policy() {
    let [compute, _] = &vectors().services[..] else { panic!("two services") };
    let list = compute.list(InDoubt::Deny).unwrap();
    let mut allowed = 0;
    for request in &compute.requests {
        let Request(method, path, person, policies) = request;
        let is_allowed = is_allowed(&list, request, &compute.people[*person]);
        let all = policies.iter().all(|it| *it);
        assert!(!is_allowed || all, "too lax: {method} {path}");
        allowed += usize::from(is_allowed);
    }
    assert!(allowed * 20 > compute.requests.len(), "{allowed} allowed");
}

/// A list might take one for the other, and be laxer.
#[test]
fn paths_of_keystone_that_overlap_cannot_be_denied_in_doubt() {
    let [_, identity] = &vectors().services[..] else { panic!("two services") };
    let refused = identity.compile(InDoubt::Deny).unwrap_err().0;
    let is_about = |line: &String| line.starts_with("/v3/limits/model: some requests are to ");
    assert!(refused.iter().any(is_about), "{refused:?}");
    assert!(refused.iter().all(|line| line.contains(": some requests are to ")), "{refused:?}");
}

#[test]
fn what_cannot_be_told_is_refused_by_name() {
    let [compute, identity] = &vectors().services[..] else { panic!("two services") };
    let refused = compute.compile(InDoubt::Refuse).unwrap_err().0;
    let names: Vec<_> = refused.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        names,
        ["compute:create:forced_host", "compute:migrate", "compute:migrate", "compute:start"]
    );
    let refused = identity.compile(InDoubt::Refuse).unwrap_err().0;
    assert!(refused.iter().any(|line| line.contains("`domain_id:%(target.user.domain_id)s`")));
    // What is left is told as well.
    assert_eq!(compute.compile(InDoubt::Leave).unwrap().remarks.len(), names.len());
}

/// A list with the sample's default in its place would be laxer than oslo.policy, or stricter.
#[test]
fn what_oslo_policy_takes_from_an_old_name_is_refused_in_every_mode() {
    let Vectors { services, renamed } = vectors();
    let [compute, _] = &services[..] else { panic!("two services") };
    let count = |is_taken| renamed.iter().filter(|it| it.taken.is_empty() != is_taken).count();
    assert!(count(true) > 4 && count(false) > 4);
    for Renamed { rules, taken } in &renamed {
        let taken: BTreeSet<_> = taken.iter().map(String::as_str).collect();
        for in_doubt in [InDoubt::Refuse, InDoubt::Leave, InDoubt::Deny] {
            let compiled = compute.compile_with(rules, in_doubt);
            let is_refused = !taken.is_empty() || in_doubt == InDoubt::Refuse;
            assert_eq!(compiled.is_err(), is_refused, "{in_doubt:?}: {rules}: {compiled:?}");
            let refused = compiled.err().map_or_else(BTreeSet::new, |refused| refused.0);
            let told = refused.iter().filter_map(|line| {
                let (_, told) = line.split_once("write the rule under its new name, `")?;
                told.strip_suffix('`')
            });
            assert_eq!(told.collect::<BTreeSet<_>>(), taken, "{in_doubt:?}: {rules}");
        }
    }
}
