//! The addresses to listen on.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// Where to listen: an address, a name of this machine, or all interfaces.
///
/// A name is resolved only when it is needed, so that commands without a server need no name service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// `127.0.0.1:8080` or `[::1]:8080`
    Address(SocketAddr),
    /// `localhost:8080`
    Name(String, u16),
    /// `:8080`
    All(u16),
}

/// The text is not in one of these forms.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not ADDR:PORT, such as 127.0.0.1:8080, localhost:8080 or :8080 (all interfaces)")]
pub struct InvalidListen(String);

impl Listen {
    /// The port; 0 means any free one.
    pub fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Name(_, port) | Self::All(port) => *port,
        }
    }

    /// The addresses, of which the first that works is used.
    pub async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Address(address) => Ok(vec![*address]),
            // The first includes IPv4, unless the system has no IPv6.
            Self::All(port) => Ok(vec![
                (Ipv6Addr::UNSPECIFIED, *port).into(),
                (Ipv4Addr::UNSPECIFIED, *port).into(),
            ]),
            Self::Name(name, port) => {
                let mut addresses: Vec<_> =
                    tokio::net::lookup_host((name.as_str(), *port)).await?.collect();
                // Most clients and proxies are told 127.0.0.1 for localhost.
                addresses.sort_by_key(SocketAddr::is_ipv6);
                Ok(addresses)
            }
        }
    }
}

impl FromStr for Listen {
    type Err = InvalidListen;

    fn from_str(text: &str) -> Result<Self, InvalidListen> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let invalid = || InvalidListen(text.to_owned());
        let (name, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        // An address in this place is one of IPv6 without brackets, or incomplete.
        let is_name =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
                && !name.ends_with(|last: char| last.is_ascii_digit());
        match name {
            "" | "*" => Ok(Self::All(port)),
            name if is_name => Ok(Self::Name(name.to_owned(), port)),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = InvalidListen;

    fn try_from(text: String) -> Result<Self, InvalidListen> {
        text.parse()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::All(port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_names_and_ports_are_read() {
        for (text, shown) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:8080", "localhost:8080"),
            ("my-host.example:65535", "my-host.example:65535"),
            (":8080", ":8080"),
            ("*:8080", ":8080"),
        ] {
            assert_eq!(text.parse::<Listen>().map(|listen| listen.to_string()), Ok(shown.into()));
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_forms() {
        for text in [
            "",
            ":",
            "8080",
            "localhost",
            "localhost:",
            "localhost:http",
            ":65536",
            "::1:8080",
            "127.0.0:80",
            "256.0.0.1:80",
            "http://localhost:80",
            "local host:80",
            "[::1:80",
        ] {
            let why = text.parse::<Listen>().expect_err(text).to_string();
            assert!(why.starts_with(&format!("{text:?} is not ADDR:PORT")), "{why}");
        }
    }

    #[tokio::test]
    async fn a_name_is_resolved_and_all_interfaces_are_those_of_both_families() {
        let addresses = async |text: &str| {
            let listen: Listen = text.parse().expect(text);
            let addresses = listen.addresses().await.expect("addresses");
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(addresses("localhost:80").await[0], "127.0.0.1:80");
        assert_eq!(addresses(":80").await, ["[::]:80", "0.0.0.0:80"]);
        assert_eq!(addresses("[::1]:80").await, ["[::1]:80"]);
    }
}
