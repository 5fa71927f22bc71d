//! `trim-exports MODULE NAMES`: takes all exports out of a WebAssembly module but those that stand in the
//! file NAMES, one a line.
//!
//! The SDK exports every callback of the proxy-wasm ABI, and a proxy calls each that is there, for every
//! request: seven calls into the module where four have something to do. No linker takes back an export
//! that a library asks for.

use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [module, names] = arguments.as_slice() else {
        eprintln!("usage: trim-exports MODULE NAMES");
        return ExitCode::from(2);
    };
    match run(module, names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(module: &str, names: &str) -> Result<(), String> {
    let of_module = |error| format!("{module}: {error}");
    let names = fs::read_to_string(names).map_err(|error| format!("{names}: {error}"))?;
    let names: Vec<_> = names.lines().collect();
    let bytes = fs::read(module).map_err(of_module)?;
    let trimmed = trim(&bytes, &names).map_err(|error| format!("{module}: {error}"))?;
    // In place of the file, and not into it: cargo has it under another name as well.
    let new = format!("{module}.new");
    fs::write(&new, trimmed).map_err(of_module)?;
    fs::rename(&new, module).map_err(of_module)
}

/// The module with these exports alone; each must be there.
fn trim(module: &[u8], names: &[&str]) -> Result<Vec<u8>, String> {
    let (header, mut rest) = module.split_at_checked(HEADER).ok_or(NO_MODULE)?;
    if !header.starts_with(b"\0asm") {
        return Err(NO_MODULE.into());
    }
    let mut trimmed = header.to_vec();
    let mut missing = names.to_vec();
    while let Some((id, after)) = rest.split_first() {
        rest = after;
        let size = number(&mut rest)?;
        let mut section = take(&mut rest, size)?;
        let kept;
        if *id == EXPORTS {
            kept = exports(&mut section, &mut missing)?;
            section = &kept;
        }
        trimmed.push(*id);
        push_number(&mut trimmed, section.len());
        trimmed.extend_from_slice(section);
    }
    if missing.is_empty() { Ok(trimmed) } else { Err(format!("no export {}", missing.join(", "))) }
}

/// The section with the exports that are wanted, which are missing no more.
///
/// It is a list of exports: a name, what kind of thing it is, and which one (WebAssembly Core
/// Specification, section 5.5.10).
fn exports(section: &mut &[u8], missing: &mut Vec<&str>) -> Result<Vec<u8>, String> {
    let mut kept = Vec::new();
    let mut count = 0;
    for _ in 0..number(section)? {
        let whole = *section;
        let length = number(section)?;
        let name = take(section, length)?;
        take(section, 1)?;
        number(section)?;
        if let Some(place) = missing.iter().position(|wanted| wanted.as_bytes() == name) {
            missing.remove(place);
            kept.extend_from_slice(whole.get(..whole.len() - section.len()).ok_or(NO_MODULE)?);
            count += 1;
        }
    }
    let mut section = Vec::new();
    push_number(&mut section, count);
    section.extend_from_slice(&kept);
    Ok(section)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(NO_MODULE)?;
    *bytes = rest;
    Ok(taken)
}

/// An unsigned number in LEB128, of at most 32 bits.
fn number(bytes: &mut &[u8]) -> Result<usize, String> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let [byte] = take(bytes, 1)? else { return Err(NO_MODULE.into()) };
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(NO_MODULE.into())
}

fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// The magic and the version.
const HEADER: usize = 8;
const EXPORTS: u8 = 7;
const NO_MODULE: &str = "this is no WebAssembly module";

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with a memory, which is exported under these names, and a section of its own.
    fn module(names: &[&str]) -> Vec<u8> {
        let mut exports = vec![u8::try_from(names.len()).unwrap()];
        for name in names {
            exports.push(u8::try_from(name.len()).unwrap());
            exports.extend_from_slice(name.as_bytes());
            exports.extend_from_slice(&[2, 0]);
        }
        let mut module = b"\0asm\x01\0\0\0\x05\x03\x01\0\x01\x07".to_vec();
        push_number(&mut module, exports.len());
        module.extend_from_slice(&exports);
        module.extend_from_slice(b"\0\x06\x05other");
        module
    }

    #[test]
    fn only_what_is_named_stays() {
        let long = "n".repeat(100);
        let all = module(&["memory", "proxy_on_log", &long, "proxy_on_tick"]);
        assert_eq!(trim(&all, &[&long, "memory"]).unwrap(), module(&["memory", &long]));
        assert_eq!(trim(&all, &[]).unwrap(), module(&[]));
        let once = trim(&all, &["memory"]).unwrap();
        assert_eq!(trim(&once, &["memory"]).unwrap(), once);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let error = trim(&module(&["memory"]), &["memory", "a", "b"]).unwrap_err();
        assert_eq!(error, "no export a, b");
    }

    #[test]
    fn what_is_cut_is_no_module() {
        let all = module(&["memory"]);
        let ends = [8, 13, all.len() - 8, all.len()];
        for length in (0..all.len()).filter(|length| !ends.contains(length)) {
            assert!(trim(&all[..length], &["memory"]).is_err(), "length {length}");
        }
        assert!(trim(b"#!/bin/sh\n", &[]).is_err());
    }
}
