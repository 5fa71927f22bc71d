"""Nothing in the documentation that is not so: every field is there, and every path exists."""

import hashlib
import pathlib
import re

import pytest

from parts.identity import OWNED

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["docs", "tests", "deploy", "fuzz"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(f for d in FOLDERS for f in (ROOT / d).rglob("*.md"))])

FIELDS = (ROOT / "core/src/config/fields.rs").read_text()


def fields():
    """The paths of all configuration fields, read from the tables of them."""
    tables = {}
    for table, body in re.findall(r"const (\w+): Fields =\s*&\[(.*?)\];", FIELDS, re.DOTALL):
        _, *parts = re.split(r'\("(\w+)", ', body)
        tables[table] = list(zip(parts[::2], parts[1::2], strict=True))

    def below(table, prefix):
        for name, kind in tables[table]:
            yield f"{prefix}{name}"
            if inner := re.search(r"Section\((\w+)\)", kind):
                yield from below(inner[1], f"{prefix}{name}" + ("[]." if "List(" in kind else "."))

    return list(below("CONFIG", ""))


def names_of_enums():
    """The words that fields may have."""
    words = re.findall(r'&\[("\w+"(?:, "\w+")*)\]', FIELDS)
    return re.findall(r"\w+", " ".join(words))


def test_the_fields_are_found():
    found = fields()
    assert len(found) > 20
    assert {"mode", "keyserver.bearer_token", "token.kinds", "bypass[].path_prefix"} <= set(found)


def test_every_field_is_read_and_no_other():
    files = [file for file in (ROOT / "core/src/config").rglob("*.rs") if file.name != "fields.rs"]
    code = "".join(file.read_text().split("#[cfg(test)]\nmod tests")[0] for file in files)
    names = {field.split(".")[-1] for field in fields()}
    assert {name for name in names if f'"{name}"' not in code} == set()
    read = re.findall(r'\.(?:field|flag|text|text_that|time|count|size|has)\(\s*"(\w+)"', code)
    assert len(read) > 80 and set(read) - names == set()


def is_section(field):
    return any(other.startswith(f"{field}.") for other in fields())


@pytest.mark.parametrize("field", [field for field in fields() if not is_section(field)])
def test_every_field_is_documented(field):
    text = (ROOT / "docs/configuration.md").read_text()
    # The fields of a list's entries stand by their whole names, or in a section of their own without the
    # list's.
    assert f"`{field}`" in text or f"`{field.split('[].')[-1]}`" in text


def test_every_value_of_an_enum_is_documented():
    text = (ROOT / "docs/configuration.md").read_text()
    for name in names_of_enums():
        assert f"`{name}`" in text


def test_no_field_is_documented_that_does_not_exist():
    text = (ROOT / "docs/configuration.md").read_text()
    sections = {field for field in fields() if is_section(field)}
    for word in re.findall(r"`([a-z_]+(?:\[\])?\.[a-z_.\[\]]+)`", text):
        if word.split(".")[0] in sections:
            assert word in fields(), word


def test_every_reason_of_a_refusal_is_documented_and_no_other():
    files = ["refusal/reason.rs"]
    files += [f"record/{kind}.rs" for kind in ("signing_key", "identity", "validation")]
    code = "".join((ROOT / "core/src" / file).read_text() for file in files)
    text = (ROOT / "docs/configuration.md").read_text()
    reasons = set(re.findall(r'Self::\w+ => "(\w+)"', code))
    assert {"token_expired", "signature_wrong", "access_key_unknown", "too_many_calls"} <= reasons
    # A row may tell of several.
    cells = re.findall(r"(?m)^\| [45]\d\d \| ([^|]*`[^|]*) \|", text)
    assert {reason for cell in cells for reason in re.findall(r"`(\w+)`", cell)} == reasons


def test_every_operation_of_s3_is_documented_and_no_other():
    code = (ROOT / "core/src/acl/s3/operation.rs").read_text()
    rows = set(re.findall(r'(?m)^    \("(\w+)", (\w+), "', code))
    assert len(rows) > 100
    text = (ROOT / "docs/configuration.md").read_text()
    levels = {"Object": "objects", "Bucket": "buckets", "Service": "the service"}
    for level, on in levels.items():
        (cell,) = re.findall(rf"(?m)^\| {on} \| (.*) \|$", text)
        assert sorted(re.findall(r"`(\w+)`", cell)) == sorted(n for n, of in rows if of == level)


def codes_of_s3():
    """Every `Code` that an answer of ours can have."""
    errors = r'\(\d{3}, "(\w+)"\)', "core/src/sigv4/error.rs"
    bodies = r'(?m)^ +Self::.* => "([A-Z]\w+)",$', "core/src/sigv4/body/error.rs"
    faults = r'Self::new\(\s*\d{3},\s*"(\w+)"', "core/src/refusal/aws/fault.rs"
    found = [re.findall(code, (ROOT / file).read_text()) for code, file in (errors, bodies, faults)]
    assert all(found)
    return set().union(*found)


@pytest.mark.parametrize("document", ["configuration.md", "sigv4-errors.md"])
def test_every_code_of_s3_is_documented(document):
    text = (ROOT / "docs" / document).read_text()
    assert len(codes_of_s3()) > 15
    assert {code for code in codes_of_s3() if f"`{code}`" not in text} == set()


def test_the_canonical_requests_shown_are_those_that_the_strings_to_sign_beside_them_sign():
    text = (ROOT / "docs/sigv4-errors.md").read_text()
    shown = re.findall(r"(?s)<CanonicalRequest>(.*?)</CanonicalRequest>", text)
    shown += re.findall(r"(?s)CanonicalRequest:\n(PUT.*?)\nbotocore", text)
    assert len(shown) == 2
    for request in shown:
        assert hashlib.sha256(request.encode()).hexdigest() in text


@pytest.mark.parametrize("name", OWNED)
def test_every_header_that_is_removed_is_documented(name):
    text = (ROOT / "docs/configuration.md").read_text().lower()
    if name.startswith("x-voussoir-"):
        assert "`x-voussoir-`" in text
    else:
        # Those that come with both prefixes are listed without one.
        short = name.removeprefix("x-").removeprefix("service-")
        assert f"`{name}`" in text or f"`{short}`" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_a_document_exists(document):
    text = document.read_text()
    tops = "|".join(sorted(re.escape(top.name) for top in ROOT.iterdir() if top.is_dir()))
    # `tests/vectors`, `docs/configuration.md#token`; not what a build makes.
    for path in re.findall(rf"`((?:{tops})/[\w./-]*)`", text):
        if not path.startswith("target/"):
            assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in link and not link.startswith("mailto:"):
            assert (document.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_anchor_in_a_document_exists(document):
    text = document.read_text()
    for link, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text):
        if "://" not in link:
            target = document.parent / link if link else document
            assert anchor in anchors(target.read_text()), f"{link}#{anchor}"


def anchors(text):
    """The anchors of headings, as GitHub makes them."""
    text = re.sub(r"(?ms)^```.*?^```", "", text)
    headings = re.findall(r"(?m)^#+ (.+?)\s*$", text)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}
