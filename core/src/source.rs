//! The address of a client, as the proxy writes it.

use alloc::string::String;
use core::net::{IpAddr, SocketAddr};

/// The address that a connection is from, as the proxy has determined it.
///
/// It is shown as the proxy writes it: so its own access log and an event have the same text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAddress {
    text: String,
}

/// The address alone, of what [`SourceAddress::from_socket`] reads.
#[must_use]
pub fn ip_of_socket(socket: &str) -> Option<IpAddr> {
    Some(socket.parse::<SocketAddr>().ok()?.ip())
}

impl SourceAddress {
    /// Reads what Envoy's attribute `source.address` says, `192.0.2.7:4711` or `[2001:db8::7]:4711`; `None` if
    /// that is no address of IP with a port.
    #[must_use]
    pub fn from_socket(socket: &str) -> Option<Self> {
        ip_of_socket(socket)?;
        let (host, _port) = socket.rsplit_once(':')?;
        let host = host.trim_matches(['[', ']']);
        // The number of an interface (RFC 4007, section 11) means something to this machine alone.
        let text = host.split_once('%').map_or(host, |(address, _)| address);
        Some(Self { text: text.into() })
    }

    /// Its text, without a port.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn it_is_what_the_proxy_writes_without_the_port() {
        for (socket, text) in [
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[::]:0", "::"),
            ("[::ffff:192.0.2.7]:80", "::ffff:192.0.2.7"),
            ("[fe80::1%3]:443", "fe80::1"),
        ] {
            let source = SourceAddress::from_socket(socket).unwrap();
            assert_eq!(source.as_str(), text);
            assert_eq!(ip_of_socket(socket).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_of_ip_is_none() {
        for socket in [
            "",
            "192.0.2.7",
            "/run/envoy.sock",
            "2001:db8::7:80",
            "[2001:db8::7]",
            "a:1",
            "[1.2.3.4]:5",
        ] {
            assert_eq!(SourceAddress::from_socket(socket), None, "{socket}");
        }
    }
}
