//! Why a collector has not taken events, in words for whoever runs the proxy.

use core::fmt;

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendFailure {
    /// The proxy did not take the call: the cluster is unknown, or has no healthy host.
    NotSent,
    /// There was no answer, or one without a status.
    NoAnswer,
    /// The collector answered with a status other than 200 to 299.
    Status(u16),
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => f.write_str(
                "the proxy did not send the call; is audit.collector.cluster the name of a cluster \
                 with a healthy host?",
            ),
            Self::NoAnswer => f.write_str("no answer in time"),
            Self::Status(status @ (401 | 403)) => {
                write!(f, "the collector answered {status}; is audit.collector.bearer_token right?")
            }
            Self::Status(status) => write!(f, "the collector answered {status}"),
        }
    }
}

impl core::error::Error for SendFailure {}
