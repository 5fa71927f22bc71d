//! The files that policies are in: what operators write, and the sample that services generate
//! (`oslopolicy-sample-generator`), whose comments tell which requests a policy is about.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::expression::{Expression, InvalidExpression};

/// Policies by their names.
pub type Policies = BTreeMap<String, Expression>;

/// What a service says of its policies.
#[derive(Debug, Default)]
pub struct Sample {
    /// What each is if nobody says otherwise: the comments.
    pub defaults: Policies,
    /// What is said in the same file, and is no comment.
    pub written: Policies,
    /// Which requests they are about, in the order of the file.
    pub documented: Vec<Documented>,
    /// Which of them had other names before.
    pub renamed: Vec<Renamed>,
}

/// A policy that had another name before. What a policy file says under that counts for oslo.policy, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The name that it had.
    pub before: String,
    /// The name that it has.
    pub name: String,
}

/// What the comments before a policy say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documented {
    /// The policy.
    pub name: String,
    /// The requests.
    pub requests: Vec<Request>,
    /// For which scopes of tokens it is meant; oslo.policy refuses those for others. None stands for
    /// all.
    pub scopes: Vec<String>,
}

/// `POST  /servers/{server_id}/action (os-start)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The methods.
    pub methods: Vec<String>,
    /// The path.
    pub path: String,
    /// Whether something else tells it from others: what stands in the query or the body.
    pub has_more: bool,
}

/// A file that cannot be used.
#[derive(Debug)]
pub enum InvalidFile {
    /// It is no mapping of names to policies.
    Shape(String),
    /// A line that is the comment of a policy, and no policy.
    Line(usize),
    /// A policy that means nothing.
    Policy {
        /// Its name.
        name: String,
        /// Why.
        why: InvalidExpression,
    },
}

/// Reads a file of policies, in YAML or JSON.
pub fn policies(text: &str) -> Result<Policies, InvalidFile> {
    let written: Option<BTreeMap<String, Written>> =
        serde_saphyr::from_str(text).map_err(|why| InvalidFile::Shape(why.to_string()))?;
    let written = written.unwrap_or_default().into_iter();
    written
        .map(|(name, policy)| match policy.expression() {
            Ok(expression) => Ok((name, expression)),
            Err(why) => Err(InvalidFile::Policy { name, why }),
        })
        .collect()
}

/// How a policy can be written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Lists(Vec<Alternative>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Alternative {
    One(String),
    All(Vec<String>),
}

impl Written {
    fn expression(&self) -> Result<Expression, InvalidExpression> {
        match self {
            Self::Text(text) => Expression::parse(text),
            Self::Lists(lists) => Expression::parse_lists(lists.iter().map(|list| match list {
                Alternative::One(text) => vec![text.as_str()],
                Alternative::All(texts) => texts.iter().map(String::as_str).collect(),
            })),
        }
    }
}

impl Sample {
    /// Reads a sample.
    pub fn parse(text: &str) -> Result<Self, InvalidFile> {
        let mut sample = Self::default();
        let mut comment = Documented::default();
        for (number, line) in text.lines().enumerate() {
            let is_default = line.starts_with("#\"") || line.starts_with("#'");
            if is_default {
                let default = policies(line.trim_start_matches('#'))
                    .map_err(|why| why.in_line(number + 1))?;
                let (name, policy) =
                    default.into_iter().next().ok_or(InvalidFile::Line(number + 1))?;
                comment.name.clone_from(&name);
                sample.defaults.insert(name, policy);
                sample.documented.push(std::mem::take(&mut comment));
            } else if let Some(words) = line.strip_prefix("# ") {
                sample.renamed.extend(Renamed::parse(words));
                comment.read(words);
            } else if let Some(name) = name(line) {
                comment.name = name.into();
                sample.documented.push(std::mem::take(&mut comment));
            } else if !line.starts_with('#') {
                comment = Documented::default();
            }
        }
        sample.written = policies(text)?;
        sample.documented.retain(|documented| !documented.requests.is_empty());
        Ok(sample)
    }
}

/// The name of the policy that a line begins.
fn name(line: &str) -> Option<&str> {
    let first = line.chars().next().filter(|first| !first.is_whitespace() && *first != '#')?;
    if matches!(first, '"' | '\'') {
        return line.get(1..)?.split_once(first).map(|(name, _)| name);
    }
    line.split_once(": ").map(|(name, _)| name).or_else(|| line.strip_suffix(':'))
}

impl Renamed {
    /// What the sample proposes for the old name, in a comment: `"old": "rule:new"`.
    fn parse(words: &str) -> Option<Self> {
        let pair = words.trim_end().strip_prefix('"')?.strip_suffix('"')?;
        let (before, name) = pair.split_once("\": \"rule:")?;
        Some(Self { before: before.into(), name: name.into() })
    }
}

impl Documented {
    /// One line of a comment: a request, the scopes, or a description.
    fn read(&mut self, words: &str) {
        if let Some(scopes) = words.strip_prefix("Intended scope(s): ") {
            self.scopes = scopes.split(',').map(|scope| scope.trim().into()).collect();
        } else if let Some((methods, path)) = words.split_once("  ") {
            self.requests.extend(Request::parse(methods, path.trim()));
        }
    }
}

impl Request {
    fn parse(methods: &str, path: &str) -> Option<Self> {
        // One, or a list in the manner of Python.
        let is_between = |char: char| " ,|/[]'\"".contains(char);
        let methods: Vec<String> =
            methods.split(is_between).filter(|it| !it.is_empty()).map(Into::into).collect();
        let are_methods = methods.iter().all(|it| it.bytes().all(|byte| byte.is_ascii_uppercase()));
        let end = path.find([' ', '?', '#', '(']).unwrap_or(path.len());
        let (path, more) = path.split_at_checked(end)?;
        (are_methods && !methods.is_empty() && path.starts_with('/')).then(|| Self {
            methods,
            path: path.into(),
            has_more: !more.trim().is_empty(),
        })
    }
}

impl InvalidFile {
    /// Where the policy of a comment is: its own error would say that it is in line 1.
    fn in_line(self, number: usize) -> Self {
        match self {
            Self::Shape(_) => Self::Line(number),
            Self::Line(_) | Self::Policy { .. } => self,
        }
    }
}

impl fmt::Display for InvalidFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(why) => f.write_str(why),
            Self::Line(number) => {
                write!(f, "line {number} is a comment in which no policy can be read")
            }
            Self::Policy { name, why } => write!(f, "{name}: {why}"),
        }
    }
}

impl std::error::Error for InvalidFile {}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"# Anybody with a role.
#"member": "role:member"

# Show a server.
#
# Some words:
#   GET  /no/request
# GET  /servers/{server_id}
# ['GET', 'HEAD']  /servers/{server_id}/more
# Intended scope(s): system, project
#"servers:show": "rule:member or role:admin"

# DEPRECATED
# "old:name":"role:x" has been deprecated since 1 in favor of
# "servers:show":"...".
# Words.
# WARNING: A rule name change has been identified.
#          rules is:
#          "old_rule_name": "new_rule_name".
# "old:name": "rule:servers:show"

# Start a server.
# POST  /servers/{server_id}/action (os-start)
# GET  /servers?all_tenants
"servers:start": "!"
# DELETE  /servers/{server_id}
servers:delete: [["role:admin", "role:x"], "role:y"]
"#;

    #[test]
    fn a_sample_tells_requests_and_scopes() {
        let sample = Sample::parse(SAMPLE).unwrap();
        let names = |policies: &Policies| policies.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&sample.defaults), ["member", "servers:show"]);
        assert_eq!(names(&sample.written), ["servers:delete", "servers:start"]);
        assert_eq!(sample.written["servers:start"], Expression::constant(false));
        let request = |methods: &[&str], path: &str, has_more| Request {
            methods: methods.iter().map(|it| (*it).into()).collect(),
            path: path.into(),
            has_more,
        };
        let documented = |name: &str, requests: &[Request], scopes: &[&str]| Documented {
            name: name.into(),
            requests: requests.to_vec(),
            scopes: scopes.iter().map(|it| (*it).into()).collect(),
        };
        assert_eq!(
            sample.documented,
            [
                documented(
                    "servers:show",
                    &[
                        request(&["GET"], "/servers/{server_id}", false),
                        request(&["GET", "HEAD"], "/servers/{server_id}/more", false),
                    ],
                    &["system", "project"],
                ),
                documented(
                    "servers:start",
                    &[
                        request(&["POST"], "/servers/{server_id}/action", true),
                        request(&["GET"], "/servers", true),
                    ],
                    &[],
                ),
                documented(
                    "servers:delete",
                    &[request(&["DELETE"], "/servers/{server_id}", false)],
                    &[]
                ),
            ]
        );
    }

    #[test]
    fn a_sample_tells_what_policies_were_called_before() {
        let renamed = Renamed { before: "old:name".into(), name: "servers:show".into() };
        assert_eq!(Sample::parse(SAMPLE).unwrap().renamed, [renamed]);
    }

    #[test]
    fn files_are_yaml_or_json() {
        let text = r#"{"a": "role:admin", "b": [["role:x"]]}"#;
        assert_eq!(policies(text).unwrap().len(), 2);
        assert_eq!(policies("").unwrap().len(), 0);
        assert_eq!(policies("# nothing\n").unwrap().len(), 0);
        for text in ["a: {}", "- a", "a: 'role:x'\na: 'role:y'", "a: \"role", "a: [1]"] {
            assert!(matches!(policies(text), Err(InvalidFile::Shape(_))), "{text}");
        }
        let error = policies("a: admin").unwrap_err();
        assert_eq!(error.to_string(), "a: `admin` is no check");
        let error = Sample::parse("\n#\"a\": \"role:x\" and more\n").unwrap_err();
        assert!(matches!(error, InvalidFile::Line(2)), "{error}");
    }
}
