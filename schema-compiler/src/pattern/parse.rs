//! Reads a regular expression: the syntax of ECMA-262 with the flag `u`, without what an automaton cannot do.

/// What an expression stands for.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    /// One of these characters, from the first to the second.
    Set(Vec<(u32, u32)>),
    /// One after the other.
    Each(Vec<Self>),
    /// One of them.
    One(Vec<Self>),
    /// So many times, at least and at most.
    Times(Box<Self>, u32, Option<u32>),
    /// Only where the text begins.
    Start,
    /// Only where it ends.
    End,
}

/// What is wrong with an expression, as the end of a sentence.
pub(crate) type Why = String;

pub(super) fn parse(source: &str) -> Result<Tree, Why> {
    let mut parser = Parser { rest: source.chars().collect(), depth: 0 };
    parser.rest.reverse();
    let tree = parser.one()?;
    match parser.rest.last() {
        None => Ok(tree),
        Some(_) => Err("has a `)` too many".into()),
    }
}

struct Parser {
    /// The characters that are left, the next one last.
    rest: Vec<char>,
    depth: usize,
}

impl Parser {
    fn one(&mut self) -> Result<Tree, Why> {
        let mut alternatives = Vec::new();
        loop {
            let mut parts = Vec::new();
            while let Some(next) = self.rest.last().filter(|next| !matches!(next, '|' | ')')) {
                let is_anchor = matches!(next, '^' | '$');
                let atom = self.atom()?;
                parts.push(if is_anchor { atom } else { self.times(atom)? });
            }
            alternatives.push(Tree::Each(parts));
            if !self.take('|') {
                return Ok(Tree::One(alternatives));
            }
        }
    }

    fn atom(&mut self) -> Result<Tree, Why> {
        let Some(next) = self.rest.pop() else { return Err("ends too early".into()) };
        Ok(match next {
            '^' => Tree::Start,
            '$' => Tree::End,
            '.' => Tree::Set(without(&[(10, 10), (13, 13), (0x2028, 0x2029)])),
            '(' => return self.group(),
            '[' => Tree::Set(self.class()?),
            '\\' => Tree::Set(self.escape(false)?),
            '*' | '+' | '?' => return Err(format!("has a `{next}` with nothing before it")),
            '{' | '}' | ']' => return Err(format!("has a `{next}` without a backslash before it")),
            other => Tree::Set(single(other)),
        })
    }

    fn group(&mut self) -> Result<Tree, Why> {
        if self.take('?') {
            let is_named = self.rest.last() == Some(&'<')
                && !matches!(self.rest.iter().rev().nth(1), Some('=' | '!'));
            if is_named {
                while self.rest.pop().is_some_and(|it| it != '>') {}
            } else if !self.take(':') {
                return Err("looks around, or sets flags, with `(?`".into());
            }
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("has too many groups in groups".into());
        }
        let inside = self.one()?;
        self.depth -= 1;
        if self.take(')') { Ok(inside) } else { Err("has a `(` without its `)`".into()) }
    }

    fn times(&mut self, atom: Tree) -> Result<Tree, Why> {
        let (least, most) = match self.rest.last() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.pop();
                let times = self.braces()?;
                self.take('?');
                return Ok(Tree::Times(Box::new(atom), times.0, times.1));
            }
            _ => return Ok(atom),
        };
        self.rest.pop();
        // Which of several ways is taken does not matter to whether there is one.
        self.take('?');
        Ok(Tree::Times(Box::new(atom), least, most))
    }

    fn braces(&mut self) -> Result<(u32, Option<u32>), Why> {
        let mut text = String::new();
        while let Some(next) = self.rest.pop().filter(|it| *it != '}') {
            text.push(next);
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|it| *it <= MAX_TIMES);
        let times = match text.split_once(',') {
            None => number(&text).map(|it| (it, Some(it))),
            Some((least, "")) => number(least).map(|it| (it, None)),
            Some((least, most)) => {
                number(least).zip(number(most)).map(|(least, most)| (least, Some(most)))
            }
        };
        let times = times.filter(|(least, most)| most.is_none_or(|most| *least <= most));
        times.ok_or_else(|| format!("has `{{{text}}}`, which is no count up to {MAX_TIMES}"))
    }

    fn class(&mut self) -> Result<Vec<(u32, u32)>, Why> {
        let is_inverted = self.take('^');
        let mut set = Vec::new();
        loop {
            if self.take(']') {
                break;
            }
            let first = self.member()?;
            let is_range =
                self.rest.last() == Some(&'-') && self.rest.iter().rev().nth(1) != Some(&']');
            if !is_range {
                set.extend(first);
                continue;
            }
            self.take('-');
            let last = self.member()?;
            match (&*first, &*last) {
                ([(from, one)], [(other, to)]) if from == one && other == to && from <= to => {
                    set.push((*from, *to));
                }
                _ => return Err("has a range that is none in `[]`".into()),
            }
        }
        Ok(if is_inverted { without(&set) } else { set })
    }

    fn member(&mut self) -> Result<Vec<(u32, u32)>, Why> {
        match self.rest.pop() {
            None => Err("has a `[` without its `]`".into()),
            Some('\\') => self.escape(true),
            Some(other) => Ok(single(other)),
        }
    }

    fn escape(&mut self, is_in_class: bool) -> Result<Vec<(u32, u32)>, Why> {
        let Some(next) = self.rest.pop() else { return Err("ends with a backslash".into()) };
        let code = |code: u32| Ok(vec![(code, code)]);
        match next {
            'd' => Ok(DIGITS.into()),
            'D' => Ok(without(&DIGITS)),
            'w' => Ok(WORD.into()),
            'W' => Ok(without(&WORD)),
            's' => Ok(SPACE.into()),
            'S' => Ok(without(&SPACE)),
            't' => code(9),
            'n' => code(10),
            'v' => code(11),
            'f' => code(12),
            'r' => code(13),
            'b' if is_in_class => code(8),
            '0' if !self.rest.last().is_some_and(char::is_ascii_digit) => code(0),
            'c' => match self.rest.pop().filter(char::is_ascii_alphabetic) {
                Some(letter) => code(u32::from(letter) % 32),
                None => Err("has a `\\c` without a letter".into()),
            },
            'x' => self.hex(2).and_then(code),
            'u' if self.take('{') => {
                let mut digits = String::new();
                while let Some(next) = self.rest.pop().filter(|it| *it != '}') {
                    digits.push(next);
                }
                let number = u32::from_str_radix(&digits, 16).ok();
                number
                    .filter(|it| *it <= LAST)
                    .ok_or("has a `\\u` that is none".into())
                    .and_then(code)
            }
            'u' => {
                let unit = self.hex(4)?;
                if (0xd800..0xdc00).contains(&unit) && self.take('\\') && self.take('u') {
                    let low = self.hex(4)?.wrapping_sub(0xdc00);
                    if low < 0x400 {
                        return code(0x10000 + ((unit - 0xd800) << 10) + low);
                    }
                }
                if (0xd800..0xe000).contains(&unit) {
                    return Err("has half of a surrogate pair".into());
                }
                code(unit)
            }
            other if other.is_ascii_alphanumeric() => {
                Err(format!("has `\\{other}`, which an automaton cannot do, or which is nothing"))
            }
            other => Ok(single(other)),
        }
    }

    fn hex(&mut self, count: usize) -> Result<u32, Why> {
        let digits: String = std::iter::from_fn(|| self.rest.pop()).take(count).collect();
        let is_hex = digits.len() == count && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
        number.ok_or_else(|| "has an escape without its digits".into())
    }

    fn take(&mut self, expected: char) -> bool {
        let is_next = self.rest.last() == Some(&expected);
        if is_next {
            self.rest.pop();
        }
        is_next
    }
}

fn single(character: char) -> Vec<(u32, u32)> {
    vec![(u32::from(character), u32::from(character))]
}

/// All characters but these.
fn without(set: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut set = set.to_vec();
    set.sort_unstable();
    let mut others = Vec::new();
    let mut from = 0;
    for (first, last) in set {
        if first > from {
            others.push((from, first - 1));
        }
        from = from.max(last + 1);
    }
    if from <= LAST {
        others.push((from, LAST));
    }
    others
}

pub(super) const LAST: u32 = 0x0010_ffff;

const DIGITS: [(u32, u32); 1] = [(0x30, 0x39)];
const WORD: [(u32, u32); 4] = [(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
/// ECMA-262, `WhiteSpace` and `LineTerminator`.
const SPACE: [(u32, u32); 10] = [
    (9, 13),
    (0x20, 0x20),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x2000, 0x200a),
    (0x2028, 0x2029),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
    (0xfeff, 0xfeff),
];

const MAX_DEPTH: usize = 64;
const MAX_TIMES: u32 = 4096;
