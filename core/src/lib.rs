//! WIP
#![no_std]
extern crate alloc;
pub mod fernet;
pub mod record;
pub mod secret;
pub mod time;
pub mod token;
