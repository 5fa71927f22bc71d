//! The URLs of endpoints before they are filled in (`keystone/common/utils.py`, `format_url`).

use alloc::string::String;

/// Fills a URL in: `$(user_id)s` or `%(user_id)s`, also `project_id` and its old name `tenant_id`; `%%`
/// is a percent sign.
///
/// `None` if the endpoint is not for such a token: it wants a project where there is none, or is no
/// template at all, such as one with any other name in it, or with a percent sign that says nothing.
///
/// Keystone's is a formatter of Python's, which also knows widths (`%(user_id)40s`), and knows
/// `public_endpoint` from its configuration. These count as no template here.
pub(super) fn fill(template: &str, project: Option<&str>, user: &str) -> Option<String> {
    let template = with_one_sign(template);
    let mut url = String::with_capacity(template.len());
    let mut rest = &*template;
    while let Some((before, from)) = rest.split_once('%') {
        url.push_str(before);
        rest = if let Some(after) = from.strip_prefix('%') {
            url.push('%');
            after
        } else {
            let (name, after) = from.strip_prefix('(')?.split_once(')')?;
            url.push_str(match name {
                "project_id" | "tenant_id" => project?,
                "user_id" => user,
                _ => return None,
            });
            after.strip_prefix('s')?
        };
    }
    url.push_str(rest);
    (!url.is_empty()).then_some(url)
}

/// With `%(` in place of each `$(`.
fn with_one_sign(template: &str) -> String {
    let mut parts = template.split('$');
    let mut text = String::from(parts.next().unwrap_or_default());
    for part in parts {
        text.push(if part.starts_with('(') { '%' } else { '$' });
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn names_in_it_are_filled_in() {
        for (template, url) in [
            ("http://x/v3", "http://x/v3"),
            ("http://x/$(project_id)s", "http://x/P"),
            ("http://x/%(tenant_id)s/y", "http://x/P/y"),
            ("http://x/AUTH_$(tenant_id)s?u=%(user_id)s", "http://x/AUTH_P?u=U"),
            ("$(user_id)s$(user_id)s", "UU"),
            ("http://x/$(user_id)some", "http://x/Uome"),
            ("http://x/100%%", "http://x/100%"),
            ("http://x/%%(user_id)s", "http://x/%(user_id)s"),
            ("http://x/$$(user_id)s", "http://x/$U"),
            ("http://x/$ $user_id", "http://x/$ $user_id"),
            ("http://x/%$(user_id)s", "http://x/%(user_id)s"),
            ("http://Ω/$(user_id)s/Ω", "http://Ω/U/Ω"),
        ] {
            assert_eq!(fill(template, Some("P"), "U").as_deref(), Some(url), "{template}");
        }
    }

    #[test]
    fn what_it_puts_in_is_no_template() {
        assert_eq!(fill("$(user_id)s", None, "%(x)s$(y)s%").as_deref(), Some("%(x)s$(y)s%"));
    }

    #[test]
    fn without_a_project_no_endpoint_wants_one() {
        for template in ["http://x/$(project_id)s", "%(tenant_id)s", "$(user_id)s/$(tenant_id)s"] {
            assert_eq!(fill(template, None, "U"), None, "{template}");
        }
        assert_eq!(fill("http://x/$(user_id)s", None, "U").as_deref(), Some("http://x/U"));
    }

    #[test]
    fn what_is_no_template_is_no_endpoint() {
        for template in [
            "",
            "http://x/$(moon)s",
            "http://x/$(compute_host)s",
            "http://x/$(project_id)",
            "http://x/$(project_id)/v1",
            "http://x/$(project_id)d",
            "http://x/$(project_id",
            "http://x/$()s",
            "http://x/%s",
            "http://x/a%20b",
            "http://x/%",
            "http://x/%$user_id",
        ] {
            assert_eq!(fill(template, Some("P"), "U"), None, "{template}");
        }
    }
}
