//! The limit of open files. A process often starts with 1,024, which would be the true limit of its
//! connections, and leave none for reading keys once they are used up.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Raises the limit as far as `connections` need and the system allows; returns how many
/// connections there can be.
pub(crate) fn make_room(connections: u32) -> u32 {
    let wanted = u64::from(connections) + RESERVE;
    let limit = getrlimit(Resource::Nofile);
    let mut available = limit.current.unwrap_or(u64::MAX);
    if available < wanted {
        let raised = limit.maximum.map_or(wanted, |maximum| wanted.min(maximum));
        let new = Rlimit { current: Some(raised), maximum: limit.maximum };
        if setrlimit(Resource::Nofile, new).is_ok() {
            available = raised;
        }
    }
    let possible = u32::try_from(available.saturating_sub(RESERVE)).unwrap_or(u32::MAX).max(1);
    if possible < connections {
        warn!(
            "--max-connections {connections} is more than the limit of open files allows: \
             {possible} it is, until `ulimit -Hn` (LimitNOFILE) is raised to {wanted}"
        );
    }
    possible.min(connections)
}

/// Files that are open besides connections: keys being read, the runtime's own, the logs.
const RESERVE: u64 = 64;
