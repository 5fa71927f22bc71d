//! An access control list that says what policies say: which requests are about which policies, and one rule for
//! all that the same senders may do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use clap::ValueEnum;
use serde_json::{Value, json};
use voussoir_core::acl::PathTemplate;
use voussoir_core::config::Config;

use super::condition::{Condition, Expected, when};
use super::expression::Check;
use super::file::{Documented, Policies, Request, Sample};
use super::names::Names;
use super::normal_form::{Alternatives, Reader, Unknown, Unreadable, both, either, everybody};

/// What the compiler is told beside the policies.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What stands before each path: the service's own, such as `/v2.1/{project_id}`.
    pub prefixes: Vec<String>,
    /// Checks that never hold.
    pub never: Vec<Check>,
    /// What becomes of what the proxy cannot tell.
    pub in_doubt: InDoubt,
}

/// What becomes of a policy of which the proxy cannot tell all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum InDoubt {
    /// Nothing is compiled.
    #[default]
    Refuse,
    /// Whoever may pass by what can be told does, and the service decides.
    Leave,
    /// Only who passes whatever it is.
    Deny,
}

/// A list, and what it does not say.
#[derive(Debug)]
pub struct Compiled {
    /// The section `acl` of the filter's configuration.
    pub acl: Value,
    /// What the proxy cannot tell, a line for each.
    pub remarks: BTreeSet<String>,
}

/// What cannot be compiled, a line for each.
#[derive(Debug)]
pub struct NotCompiled(pub BTreeSet<String>);

/// Requests of one form.
#[derive(Debug)]
struct Operation {
    path: String,
    /// What each method needs.
    methods: BTreeMap<String, Alternatives>,
}

/// Compiles the policies of a service: those of its sample, but for what an operator says in `rules`.
pub fn compile(sample: &Sample, rules: Policies, terms: &Terms) -> Result<Compiled, NotCompiled> {
    let mut written = sample.written.clone();
    written.extend(rules);
    let Names { problems, remarks } = Names::of(sample, &written);
    let mut policies = sample.defaults.clone();
    policies.extend(written);
    let mut compiler =
        Compiler { policies: &policies, terms, operations: BTreeMap::new(), remarks, problems };
    for documented in &sample.documented {
        for request in &documented.requests {
            compiler.add(documented, request);
        }
    }
    compiler.compare_overlapping();
    compiler.finish()
}

struct Compiler<'a> {
    policies: &'a Policies,
    terms: &'a Terms,
    /// By their paths without the names of variables.
    operations: BTreeMap<String, Operation>,
    remarks: BTreeSet<String>,
    problems: BTreeSet<String>,
}

impl Compiler<'_> {
    fn add(&mut self, documented: &Documented, request: &Request) {
        let Some(policy) = self.policies.get(&documented.name) else { return };
        let no_prefix = [String::new()];
        let prefixes = &self.terms.prefixes;
        let prefixes = if prefixes.is_empty() { &no_prefix[..] } else { prefixes };
        for prefix in prefixes {
            let (path, variables) = template(&format!("{prefix}{}", request.path));
            if let Err(error) = PathTemplate::new(&path) {
                self.problems.insert(format!("{}: {path}: it must be {error}", documented.name));
                continue;
            }
            let mut reader = Reader {
                policies: self.policies,
                variables: &variables,
                never: &self.terms.never,
                unknown: match self.terms.in_doubt {
                    InDoubt::Deny => Unknown::Deny,
                    InDoubt::Refuse | InDoubt::Leave => Unknown::Leave,
                },
                reasons: BTreeSet::new(),
            };
            let read = reader.read(policy);
            for reason in std::mem::take(&mut reader.reasons) {
                self.cannot_tell(&documented.name, &format!("{reason} ({path})"));
            }
            match read {
                Ok(needed) => {
                    let needed = identified(&both(&needed, &scoped(&documented.scopes)));
                    for method in &request.methods {
                        self.need(documented, &path, method, needed.clone());
                    }
                    if request.has_more {
                        let why = format!("it is about some requests to {path} only");
                        self.cannot_tell(&documented.name, &why);
                    }
                }
                Err(unreadable) => {
                    self.problems.insert(format!("{}: {unreadable}", documented.name));
                }
            }
        }
    }

    /// Notes what a request needs, where another policy may be about it, too.
    fn need(&mut self, documented: &Documented, path: &str, method: &str, needed: Alternatives) {
        let operation = self
            .operations
            .entry(shape(path))
            .or_insert_with(|| Operation { path: path.into(), methods: BTreeMap::new() });
        let needed = renamed(needed, path, &operation.path);
        let Some(before) = operation.methods.get_mut(method) else {
            operation.methods.insert(method.into(), needed);
            return;
        };
        if *before == needed {
            return;
        }
        *before = match self.terms.in_doubt {
            InDoubt::Refuse | InDoubt::Leave => either(std::mem::take(before), needed),
            InDoubt::Deny => both(before, &needed),
        };
        let why =
            format!("{method} {path} is about other policies as well, which say something else");
        self.cannot_tell(&documented.name, &why);
    }

    /// To a list, a request may be one of both; services look at the one that has fewer variables.
    fn compare_overlapping(&mut self) {
        let all: Vec<_> = self.operations.values().collect();
        let mut found = Vec::new();
        for (place, this) in all.iter().enumerate() {
            for that in all.iter().skip(place + 1).filter(|that| overlap(&this.path, &that.path)) {
                let differs = |(method, needed): (&String, &Alternatives)| {
                    that.methods.get(method).is_some_and(|other| other != needed)
                };
                if this.methods.iter().any(differs) {
                    found.push((this.path.clone(), that.path.clone()));
                }
            }
        }
        for (this, that) in found {
            let why = format!(
                "some requests are to {this} as well, of which policies say something else"
            );
            if self.terms.in_doubt == InDoubt::Leave {
                self.remarks.insert(format!("{that}: {why}"));
            } else {
                self.problems.insert(format!("{that}: {why}"));
            }
        }
    }

    fn cannot_tell(&mut self, name: &str, why: &str) {
        self.remarks.insert(format!("{name}: {why}"));
    }

    fn finish(mut self) -> Result<Compiled, NotCompiled> {
        if self.terms.in_doubt == InDoubt::Refuse {
            self.problems.append(&mut self.remarks);
        }
        if !self.problems.is_empty() {
            return Err(NotCompiled(self.problems));
        }
        let acl = json!({"default": "deny", "rules": rules(&self.operations)});
        let config = json!({
            "keyserver": {"cluster": "k"},
            "token": {"www_authenticate_uri": "http://k"},
            "acl": &acl,
        });
        match Config::parse(config.to_string().as_bytes()) {
            Ok(_) => Ok(Compiled { acl, remarks: self.remarks }),
            Err(error) => Err(NotCompiled([format!("no list can say it all: {error}")].into())),
        }
    }
}

/// One rule for all that the same senders may do.
fn rules(operations: &BTreeMap<String, Operation>) -> Vec<Value> {
    let mut by_needed: BTreeMap<&Alternatives, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for Operation { path, methods } in operations.values() {
        for (method, needed) in methods.iter().filter(|(_, needed)| !needed.is_empty()) {
            by_needed.entry(needed).or_default().entry(path).or_default().insert(method);
        }
    }
    let rules = by_needed.into_iter().enumerate().map(|(number, (needed, paths))| {
        let mut by_methods: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for (path, methods) in paths {
            by_methods.entry(methods).or_default().push(path);
        }
        let to = by_methods.into_iter();
        let to: Vec<_> =
            to.map(|(methods, paths)| json!({"methods": methods, "paths": paths})).collect();
        let name = format!("policy-{}", number + 1);
        match &*needed.iter().map(when).collect::<Vec<_>>() {
            [one] => json!({"name": name, "action": "allow", "to": to, "when": one}),
            several => json!({"name": name, "action": "allow", "to": to, "when_any": several}),
        }
    });
    rules.collect()
}

/// A path as a template of the list, and its variables. What cannot be a variable's name there, or is there twice,
/// has none.
fn template(path: &str) -> (String, Vec<String>) {
    let mut variables: Vec<String> = Vec::new();
    let segments = path.split('/').map(|segment| {
        let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        let Some(name) = name else { return segment };
        let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = !name.is_empty() && name.bytes().all(is_of_names);
        if !is_name || variables.iter().any(|it| it == name) {
            return "*";
        }
        variables.push(name.into());
        segment
    });
    let path = segments.collect::<Vec<_>>().join("/");
    (path, variables)
}

fn is_variable(segment: &str) -> bool {
    segment == "*" || segment.starts_with('{')
}

/// A template without the names of its variables.
fn shape(path: &str) -> String {
    let segments = path.split('/').map(|it| if is_variable(it) { "*" } else { it });
    segments.collect::<Vec<_>>().join("/")
}

/// Conditions on the variables of a template as conditions on those of another one of the same shape.
fn renamed(all: Alternatives, from: &str, to: &str) -> Alternatives {
    if from == to {
        return all;
    }
    let pairs: Vec<_> = from.split('/').zip(to.split('/')).collect();
    let rename = |condition: Condition| match &condition.expected {
        Expected::Variable(name) => {
            let old = format!("{{{name}}}");
            let new = pairs.iter().find(|(from, _)| *from == old).map_or("", |(_, to)| to);
            let new = new.trim_start_matches('{').trim_end_matches('}');
            Condition { expected: Expected::Variable(new.into()), ..condition }
        }
        Expected::Anything | Expected::Text(_) => condition,
    };
    let rename_all = |one: BTreeSet<Condition>| one.into_iter().map(rename).collect();
    all.into_iter().map(rename_all).collect()
}

/// Whether there are paths of both forms.
fn overlap(this: &str, that: &str) -> bool {
    let (this, that): (Vec<_>, Vec<_>) = (this.split('/').collect(), that.split('/').collect());
    let mut pairs = this.iter().zip(&that);
    this.len() == that.len()
        && pairs.all(|(this, that)| this == that || is_variable(this) || is_variable(that))
}

/// Who has a token for one of these scopes. To oslo.policy, what is for nothing else is for a project.
fn scoped(scopes: &[String]) -> Alternatives {
    let has = |scope: &str| scopes.is_empty() || scopes.iter().any(|it| it == scope);
    let not = |attribute| Condition::some(attribute).negated();
    let of = |conditions: &[Condition]| -> BTreeSet<_> { conditions.iter().cloned().collect() };
    match (has("system"), has("domain"), has("project")) {
        (true, true, true) => everybody(),
        (system, domain, project) => {
            let system = system.then(|| of(&[Condition::some("system")]));
            let domain = domain.then(|| of(&[Condition::some("domain_id"), not("system")]));
            let project = project.then(|| of(&[not("domain_id"), not("system")]));
            [system, domain, project].into_iter().flatten().collect()
        }
    }
}

/// The same of whoever is somebody: services ask their policies about no one else.
fn identified(all: &Alternatives) -> Alternatives {
    let user = Condition::some("user_id");
    let identify = |one: &BTreeSet<Condition>| {
        let mut one = one.clone();
        if one.iter().all(|condition| condition.is_not) {
            one.insert(user.clone());
        }
        one
    };
    all.iter().map(identify).collect()
}

impl fmt::Display for NotCompiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(String::as_str).collect();
        write!(f, "the policies cannot be compiled:\n  {}", lines.join("\n  "))
    }
}

impl std::error::Error for NotCompiled {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy(name) => write!(f, "there is no policy `{name}`"),
            Self::Cycle(name) => write!(f, "`{name}` leads back to itself"),
            Self::TooLarge => f.write_str("it comes to too many alternatives"),
        }
    }
}
