//! Keystone's key repository: the directory of Fernet keys that `keystone-manage fernet_setup`
//! makes and `fernet_rotate` changes (`keystone/common/fernet_utils.py`). The keys of credentials lie
//! in another directory of the same kind, which `credential_setup` and `credential_rotate` keep.
//!
//! Each key is a file whose name is a number: 0 is the *staged* key, which opens tokens but makes
//! none, the highest is the *primary* key, which makes them, and those between made them once. A
//! rotation
//!
//! 1. writes a new key to `0.tmp`,
//! 2. renames `0` to one above the highest: the staged key is the primary one now,
//! 3. renames `0.tmp` to `0`,
//! 4. deletes the lowest above 0 until `[fernet_tokens] max_active_keys` are left.
//!
//! Between 2 and 3 there is no staged key, and a reader who lists the directory before 2 and reads
//! `0` after 3 sees a set that never was. Neither is ever served: `read.rs` tells which sets are
//! complete, two equal readings in a row are asked for, and `watch.rs` keeps the last good set
//! until then.
//!
//! The public keys of signed tokens lie in a directory of another kind, which `public.rs` reads.

mod public;
mod published;
mod read;
#[cfg(test)]
mod rotation;
mod watch;

pub(crate) use published::Published;
pub(crate) use read::{Incomplete, read};
pub(crate) use watch::{Directories, Repository, watch};
