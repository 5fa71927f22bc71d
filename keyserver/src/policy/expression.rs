//! The language of policies: checks, joined by `and`, `or`, `not` and parentheses, as oslo.policy's parser reads
//! it (`oslo_policy/_parser.py`).
//!
//! What oslo.policy cannot parse it takes for a rule that allows nothing, and says so in a log. Here it is
//! an error: somebody meant something by it.

use std::fmt;

/// What a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// All of these; nothing, if there are none.
    All(Vec<Self>),
    /// One of these; what cannot be, if there are none.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A check, such as `role:admin`.
    Check(Check),
}

/// One check: what is compared, and with what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    /// What stands before the first colon.
    pub kind: String,
    /// What stands behind it.
    pub value: String,
}

/// A text that is no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidExpression {
    /// It ends where a check has to follow, or has one of these where none can be.
    Misplaced(String),
    /// A parenthesis without its other half.
    Parenthesis,
    /// No check: there is no colon in it, or it is quoted as a whole.
    NoCheck(String),
    /// It has more parts than anybody writes.
    TooLong,
}

impl Expression {
    /// What always holds, or never.
    #[must_use]
    pub fn constant(holds: bool) -> Self {
        if holds { Self::All(Vec::new()) } else { Self::Any(Vec::new()) }
    }

    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, InvalidExpression> {
        if text.is_empty() {
            return Ok(Self::constant(true));
        }
        let mut parser = Parser::default();
        for (number, token) in tokens(text).enumerate() {
            if number == MAX_TOKENS {
                return Err(InvalidExpression::TooLong);
            }
            parser.take(&token)?;
        }
        parser.finish()
    }

    /// Reads the form that policies had before there was a language: a list of which one must hold, whose
    /// entries are lists of which all must.
    pub fn parse_lists<'a>(
        lists: impl IntoIterator<Item = Vec<&'a str>>,
    ) -> Result<Self, InvalidExpression> {
        let mut any = Vec::new();
        let mut is_empty = true;
        for list in lists {
            is_empty = false;
            if !list.is_empty() {
                let all = list.into_iter().map(check).collect::<Result<_, _>>()?;
                any.push(Self::All(all));
            }
        }
        Ok(if is_empty { Self::constant(true) } else { Self::Any(any) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    And,
    Or,
    Not,
    Open,
    Close,
    Word(&'a str),
}

/// The words between white space, without the parentheses around each: within one they are a part of
/// it, as in `%(project_id)s`.
fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    text.split_whitespace().flat_map(|text| {
        let word = text.trim_start_matches('(');
        let opened = text.len() - word.len();
        let bare = word.trim_end_matches(')');
        let closed = word.len() - bare.len();
        let token = match bare.to_ascii_lowercase().as_str() {
            "" => None,
            "and" => Some(Token::And),
            "or" => Some(Token::Or),
            "not" => Some(Token::Not),
            _ => Some(Token::Word(bare)),
        };
        let open = std::iter::repeat_n(Token::Open, opened);
        open.chain(token).chain(std::iter::repeat_n(Token::Close, closed))
    })
}

fn check(text: &str) -> Result<Expression, InvalidExpression> {
    match text {
        "!" => return Ok(Expression::constant(false)),
        "@" => return Ok(Expression::constant(true)),
        _ => {}
    }
    let is_quoted = ["'", "\""]
        .iter()
        .any(|quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote));
    match text.split_once(':') {
        Some((kind, value)) if !is_quoted => {
            Ok(Expression::Check(Check { kind: kind.into(), value: value.into() }))
        }
        _ => Err(InvalidExpression::NoCheck(text.into())),
    }
}

/// Two stacks: what was read, and what is still to be done with it.
#[derive(Debug, Default)]
struct Parser {
    operands: Vec<Expression>,
    operators: Vec<Operator>,
    /// Whether the last token was one that nothing need follow.
    is_complete: bool,
}

/// In the order in which they bind, the loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operator {
    Open,
    Or,
    And,
    Not,
}

impl Parser {
    fn take(&mut self, token: &Token<'_>) -> Result<(), InvalidExpression> {
        let is_between = matches!(token, Token::And | Token::Or | Token::Close);
        if is_between != self.is_complete {
            return Err(InvalidExpression::Misplaced(token.to_string()));
        }
        match token {
            Token::Open => self.operators.push(Operator::Open),
            Token::Not => self.operators.push(Operator::Not),
            Token::And => self.join(Operator::And),
            Token::Or => self.join(Operator::Or),
            Token::Close => {
                self.carry_out(Operator::Or);
                if self.operators.pop() != Some(Operator::Open) {
                    return Err(InvalidExpression::Parenthesis);
                }
            }
            Token::Word(word) => self.operands.push(check(word)?),
        }
        self.is_complete = matches!(token, Token::Word(_) | Token::Close);
        Ok(())
    }

    fn join(&mut self, operator: Operator) {
        self.carry_out(operator);
        self.operators.push(operator);
    }

    /// Does what binds as much as this, or more.
    fn carry_out(&mut self, loosest: Operator) {
        while let Some(operator) = self.operators.pop_if(|operator| *operator >= loosest) {
            let Some(last) = self.operands.pop() else { return };
            let joined = match operator {
                Operator::Not => Expression::Not(Box::new(last)),
                Operator::And | Operator::Or | Operator::Open => {
                    let Some(first) = self.operands.pop() else { return };
                    let both = vec![first, last];
                    if operator == Operator::And {
                        Expression::All(both)
                    } else {
                        Expression::Any(both)
                    }
                }
            };
            self.operands.push(joined);
        }
    }

    fn finish(mut self) -> Result<Expression, InvalidExpression> {
        if !self.is_complete {
            return Err(InvalidExpression::Misplaced("the end".into()));
        }
        self.carry_out(Operator::Or);
        match (self.operators.is_empty(), self.operands.pop()) {
            (true, Some(expression)) => Ok(expression),
            _ => Err(InvalidExpression::Parenthesis),
        }
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::Open => "(",
            Self::Close => ")",
            Self::Word(word) => word,
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.value)
    }
}

impl fmt::Display for InvalidExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misplaced(token) => write!(f, "`{token}` is misplaced"),
            Self::Parenthesis => f.write_str("a parenthesis has no other half"),
            Self::NoCheck(text) => write!(f, "`{text}` is no check"),
            Self::TooLong => write!(f, "it has more than {MAX_TOKENS} parts"),
        }
    }
}

impl std::error::Error for InvalidExpression {}

/// The most checks, operators and parentheses of one policy. Nova's longest has about thirty.
const MAX_TOKENS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    /// With every parenthesis that there could be.
    fn written(expression: &Expression) -> String {
        let joined = |parts: &[Expression], by: &str| {
            let parts: Vec<_> = parts.iter().map(written).collect();
            format!("({})", parts.join(by))
        };
        match expression {
            Expression::All(parts) if parts.is_empty() => "@".into(),
            Expression::Any(parts) if parts.is_empty() => "!".into(),
            Expression::All(parts) => joined(parts, " and "),
            Expression::Any(parts) => joined(parts, " or "),
            Expression::Not(part) => format!("not {}", written(part)),
            Expression::Check(check) => check.to_string(),
        }
    }

    #[test]
    fn and_binds_more_than_or_and_not_more_than_both() {
        for (text, expected) in [
            ("", "@"),
            ("@", "@"),
            ("!", "!"),
            ("role:admin", "role:admin"),
            ("a:1 or b:2 and c:3", "(a:1 or (b:2 and c:3))"),
            ("a:1 and b:2 or c:3", "((a:1 and b:2) or c:3)"),
            ("a:1 and b:2 and c:3", "((a:1 and b:2) and c:3)"),
            ("(a:1 or b:2) and c:3", "((a:1 or b:2) and c:3)"),
            ("not a:1 and b:2", "(not a:1 and b:2)"),
            ("not (a:1 and b:2)", "not (a:1 and b:2)"),
            ("a:1 OR Not not b:2", "(a:1 or not not b:2)"),
            ("((a:%(x)s))", "a:%(x)s"),
            ("'Member':%(role.name)s", "'Member':%(role.name)s"),
            ("a:b:c", "a:b:c"),
            (" a:1\n or\tb:2 ", "(a:1 or b:2)"),
        ] {
            let expression = Expression::parse(text).unwrap();
            assert_eq!(written(&expression), expected, "{text}");
        }
    }

    #[test]
    fn what_means_nothing_is_an_error() {
        let misplaced = |token: &str| InvalidExpression::Misplaced(token.into());
        let no_check = |text: &str| InvalidExpression::NoCheck(text.into());
        for (text, error) in [
            (" ", misplaced("the end")),
            ("a:1 b:2", misplaced("b:2")),
            ("a:1 and", misplaced("the end")),
            ("or a:1", misplaced("or")),
            ("a:1 and or b:2", misplaced("or")),
            ("a:1 not b:2", misplaced("not")),
            ("()", misplaced(")")),
            ("a:1 (b:2)", misplaced("(")),
            ("(a:1", InvalidExpression::Parenthesis),
            ("a:1)", InvalidExpression::Parenthesis),
            ("a:1) or (b:2", InvalidExpression::Parenthesis),
            ("admin", no_check("admin")),
            ("'a:1'", no_check("'a:1'")),
            (&"a:1 or ".repeat(300), InvalidExpression::TooLong),
        ] {
            assert_eq!(Expression::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn lists_are_alternatives_of_what_must_hold_together() {
        let parse = |lists: &[&[&'static str]]| {
            let lists = lists.iter().map(|list| list.to_vec());
            Expression::parse_lists(lists).map(|expression| written(&expression))
        };
        assert_eq!(parse(&[]).unwrap(), "@");
        assert_eq!(parse(&[&[]]).unwrap(), "!");
        assert_eq!(parse(&[&["a:1", "b:2"], &[], &["c:3"]]).unwrap(), "((a:1 and b:2) or (c:3))");
        assert!(parse(&[&["a"]]).is_err());
    }
}
