//! Formats (JSON Schema Validation, section 7.3), which are asserted here: each is a pattern.

/// What a format is as a pattern, and how it is called; `None` if it is not known.
pub(crate) struct Format {
    pub(crate) pattern: String,
    pub(crate) says: &'static str,
    /// The most characters, where it has a limit that a pattern does not tell.
    pub(crate) max_length: Option<u64>,
}

impl Format {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let (says, pattern, max_length) = match name {
            "date" => ("be a date", date(), None),
            "date-time" => ("be a date-time", format!("{}[Tt]{}", date(), time()), None),
            "time" => ("be a time", time(), None),
            "email" => ("be an email address", email(), Some(254)),
            "hostname" => ("be a hostname", hostname(), Some(253)),
            "ipv4" => ("be an IPv4 address", IPV4.into(), None),
            "ipv6" => ("be an IPv6 address", ipv6(), None),
            "uri" => ("be a URI", uri(), None),
            "uuid" => ("be a UUID", UUID.into(), None),
            _ => return None,
        };
        Some(Self { pattern: format!("^(?:{pattern})$"), says, max_length })
    }

    /// All that are known.
    pub(crate) const NAMES: [&'static str; 9] =
        ["date", "date-time", "time", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"];

    /// Those that say nothing about a text: they tell programs what to make of it.
    pub(crate) const SILENT: [&'static str; 3] = ["double", "float", "password"];
}

/// RFC 3339, `full-date`, with the days that a month has.
fn date() -> String {
    let leap = "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29";
    let others = "\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)\
                  |02-(?:0[1-9]|1\\d|2[0-8]))";
    format!("(?:{others}|{leap})")
}

/// RFC 3339, `full-time`. A leap second is one in UTC only.
fn time() -> String {
    let clock =
        "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
    let leap = "23:59:60(?:\\.\\d+)?(?:[Zz]|[+-]00:00)";
    format!("(?:{clock}|{leap})")
}

/// RFC 5321, `Mailbox`.
fn email() -> String {
    let atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    let quoted = "\"(?:[ !#-\\[\\]-~]|\\\\[ -~])*\"";
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
    format!(
        "(?:{atom}(?:\\.{atom})*|{quoted})@(?:{label}(?:\\.{label})*|\\[(?:{IPV4}|IPv6:{})\\])",
        ipv6()
    )
}

/// RFC 1123, section 2.1.
fn hostname() -> String {
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    format!("{label}(?:\\.{label})*")
}

/// RFC 3986, section 3.2.2, which is RFC 4291, section 2.2.
fn ipv6() -> String {
    let h16 = "[0-9A-Fa-f]{1,4}";
    let ls32 = format!("(?:{h16}:{h16}|{IPV4})");
    let before = |most: usize| format!("(?:(?:{h16}:){{0,{most}}}{h16})?");
    let mut forms = vec![format!("(?:{h16}:){{6}}{ls32}"), format!("::(?:{h16}:){{5}}{ls32}")];
    for most in 0..5 {
        forms.push(format!("{}::(?:{h16}:){{{}}}{ls32}", before(most), 4 - most));
    }
    forms.push(format!("{}::{h16}", before(5)));
    forms.push(format!("{}::", before(6)));
    format!("(?:{})", forms.join("|"))
}

/// RFC 3986, `URI`.
fn uri() -> String {
    let plain = "A-Za-z0-9._~!$&'()*+,;=-";
    let escape = "%[0-9A-Fa-f]{2}";
    let pchar = format!("(?:[{plain}:@]|{escape})");
    let future = format!("v[0-9A-Fa-f]+\\.[{plain}:]+");
    let host = format!("(?:\\[(?:{}|{future})\\]|(?:[{plain}]|{escape})*)", ipv6());
    let authority = format!("(?:(?:[{plain}:]|{escape})*@)?{host}(?::\\d*)?");
    let rest = format!("(?:/{pchar}*)*");
    let path = format!("(?://{authority}{rest}|/(?:{pchar}+{rest})?|{pchar}+{rest})?");
    let tail = format!("(?:[{plain}:@/?]|{escape})*");
    format!("[A-Za-z][A-Za-z0-9+.-]*:{path}(?:\\?{tail})?(?:#{tail})?")
}

const IPV4: &str =
    "(?:(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

/// RFC 9562, section 4.
const UUID: &str = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
