//! Blocks of addresses, as CIDR writes them (RFC 4632, RFC 4291 section 2.3).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpBlock {
    address: IpAddr,
    length: u8,
}

impl IpBlock {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or a single address. `None` for anything else, and for bits
    /// behind the length, which are a mistake more often than not.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let length = match length {
            Some(length) => {
                Some(length).filter(is_number)?.parse().ok().filter(|it| *it <= most)?
            }
            None => most,
        };
        let block = Self { address, length };
        (block.first(address) == address).then_some(block)
    }

    /// Whether an address is in it. An IPv4 address that is written as one of IPv6 is what it stands for.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.first(address) == self.address
    }

    /// The address with nothing but zeros behind the length.
    fn first(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => {
                let behind = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & !behind).into()
            }
            IpAddr::V6(address) => {
                let behind = u128::MAX.checked_shr(self.length.into()).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & !behind).into()
            }
        }
    }
}
