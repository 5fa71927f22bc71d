//! Tests of the reading against rotations, step by step and in full flight.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use voussoir_core::record::{FernetKey, KeySet};

use super::Incomplete;
use super::read::read;
use crate::settle::{Reading, Settle};

/// A key repository whose keys are numbered in the order in which they were made: key file `id`
/// above 0 holds key number `id - 1`, and file 0 the number of the primary file.
struct Repository {
    directory: PathBuf,
    primary: u32,
    max_active_keys: u32,
}

impl Repository {
    /// As after `keystone-manage fernet_setup`.
    fn set_up(directory: &Path, max_active_keys: u32) -> Self {
        let this = Self { directory: directory.into(), primary: 1, max_active_keys };
        fs::write(this.path("1"), key(0)).unwrap();
        fs::write(this.path("0"), key(1)).unwrap();
        this
    }

    fn path(&self, name: impl Display) -> PathBuf {
        self.directory.join(name.to_string())
    }

    /// `keystone/common/fernet_utils.py`, `rotate_keys`; `between` is called after every change of
    /// the directory.
    fn rotate(&mut self, mut between: impl FnMut(&str)) {
        fs::write(self.path("0.tmp"), "").unwrap();
        between("0.tmp empty");
        fs::write(self.path("0.tmp"), key(self.primary + 1)).unwrap();
        between("0.tmp written");
        fs::rename(self.path("0"), self.path(self.primary + 1)).unwrap();
        self.primary += 1;
        between("promoted");
        fs::rename(self.path("0.tmp"), self.path("0")).unwrap();
        between("staged");
        for id in 1..self.primary {
            if id + self.max_active_keys <= self.primary + 1 && self.path(id).exists() {
                fs::remove_file(self.path(id)).unwrap();
                between("purged");
            }
        }
    }
}

fn key(number: u32) -> String {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    URL_SAFE.encode(bytes)
}

/// Asserts that this set was in force at some time: no key is missing between the oldest and the
/// primary one, and each is what its id says.
fn assert_was_in_force(keys: &KeySet, max_active_keys: u32) {
    let ids: Vec<u32> = keys.fernet.iter().map(|key| key.id).collect();
    let primary = ids[0];
    let count = u32::try_from(ids.len()).unwrap();
    assert!(count <= max_active_keys + 1, "{ids:?}");
    assert!(count >= max_active_keys.min(primary + 1), "{ids:?}");
    let expected = (primary + 2 - count..=primary).rev().chain([0]);
    assert!(ids.iter().copied().eq(expected), "{ids:?}");
    for FernetKey { id, key: text } in &keys.fernet {
        let number = if *id == 0 { primary } else { id - 1 };
        assert!(text.matches(key(number).as_bytes()), "key {id} of {ids:?}");
    }
}

#[test]
fn each_step_of_a_rotation_is_a_complete_set_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut repository = Repository::set_up(directory.path(), 3);
    let mut seen = Vec::new();
    for _ in 0..3 {
        repository.rotate(|step| {
            let ids = read(directory.path()).map(|keys| {
                assert_was_in_force(&keys, 3);
                keys.fernet.iter().map(|key| key.id).collect::<Vec<_>>()
            });
            seen.push((step.to_owned(), ids));
        });
    }
    let expected: [(&str, Result<&[u32], Incomplete>); 14] = [
        ("0.tmp empty", Ok(&[1, 0])),
        ("0.tmp written", Ok(&[1, 0])),
        ("promoted", Err(Incomplete::NoStagedKey)),
        ("staged", Ok(&[2, 1, 0])),
        ("0.tmp empty", Ok(&[2, 1, 0])),
        ("0.tmp written", Ok(&[2, 1, 0])),
        ("promoted", Err(Incomplete::NoStagedKey)),
        ("staged", Ok(&[3, 2, 1, 0])),
        ("purged", Ok(&[3, 2, 0])),
        ("0.tmp empty", Ok(&[3, 2, 0])),
        ("0.tmp written", Ok(&[3, 2, 0])),
        ("promoted", Err(Incomplete::NoStagedKey)),
        ("staged", Ok(&[4, 3, 2, 0])),
        ("purged", Ok(&[4, 3, 0])),
    ];
    assert_eq!(seen.len(), expected.len());
    for ((step, ids), (expected_step, expected_ids)) in seen.iter().zip(expected) {
        assert_eq!(step, expected_step);
        assert_eq!(ids.as_deref(), expected_ids.as_ref().map(|ids| &**ids), "{step}");
    }
}

/// A copy of the repository that arrives file by file, not in Keystone's order, is torn for as long
/// as two names hold one key.
#[test]
fn a_rename_seen_from_both_sides_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let repository = Repository::set_up(directory.path(), 3);
    fs::copy(repository.path("0"), repository.path("2")).unwrap();
    assert_eq!(read(directory.path()).unwrap_err(), Incomplete::SameKeyTwice(2, 0));
}

#[test]
fn only_sets_that_were_in_force_are_believed_while_rotations_never_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut repository = Repository::set_up(directory.path(), 3);
    let ended = AtomicBool::new(false);
    let (mut believed, mut readings) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Pauses of every length around that of a reading, between any two steps.
            for round in 0..600_u64 {
                let mut step = 0;
                repository.rotate(|_| {
                    step += 1;
                    thread::sleep(Duration::from_micros((round * 7 + step * 31) % 200));
                });
            }
            ended.store(true, Ordering::Release);
        });
        let mut settle = Settle::new();
        let mut last_primary = 0;
        while !ended.load(Ordering::Acquire) {
            readings += 1;
            let Ok(keys) = read(directory.path()) else {
                settle.failed();
                continue;
            };
            if let Reading::New(keys) = settle.read(keys) {
                assert_was_in_force(keys, 3);
                assert!(keys.fernet[0].id >= last_primary, "went back in time");
                last_primary = keys.fernet[0].id;
                believed += 1;
            }
        }
    });
    assert!(believed > 100, "{believed} of {readings} readings were believed");
}
