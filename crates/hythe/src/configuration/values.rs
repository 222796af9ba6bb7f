//! The types of single settings: each parses its own text and refuses what is out of range.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

/// A whole number from `MIN` to `MAX`, both included; the unit is in the setting's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub(crate) struct Number<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Number<MIN, MAX> {
    /// A number known when the program is built; out of range does not compile.
    pub(crate) const fn of<const N: u64>() -> Self {
        const { assert!(MIN <= N && N <= MAX, "the number is out of its setting's range") };
        Number(N)
    }

    /// The number.
    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<u64> for Number<MIN, MAX> {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        if (MIN..=MAX).contains(&number) {
            Ok(Number(number))
        } else {
            Err(format!("{number} is out of range: it must be from {MIN} to {MAX}"))
        }
    }
}

impl<const MIN: u64, const MAX: u64> From<Number<MIN, MAX>> for u64 {
    fn from(number: Number<MIN, MAX>) -> u64 {
        number.0
    }
}

/// The URL clients use: scheme, host and port only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ExternalUrl {
    text: String,
    url: hythe_server::ExternalUrl,
}

impl ExternalUrl {
    /// The URL as the server takes it.
    pub(crate) fn get(&self) -> &hythe_server::ExternalUrl {
        &self.url
    }

    /// The host alone, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> Option<String> {
        let url = Url::parse(&self.text).ok()?;
        url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
    }
}

impl TryFrom<String> for ExternalUrl {
    type Error = hythe_server::ExternalUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = text.parse()?;
        Ok(ExternalUrl { text, url })
    }
}

impl From<ExternalUrl> for String {
    fn from(url: ExternalUrl) -> String {
        url.text
    }
}

/// A network in CIDR form; a bare address means that one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Network(IpNet);

impl Network {
    /// The network.
    pub(crate) fn get(self) -> IpNet {
        self.0
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map(Network)
            .map_err(|_| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.0.to_string()
    }
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The least important event that is still logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        })
    }
}

/// Who may create projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Creation {
    /// Any signed-in user.
    Everyone,
    /// Administrators only.
    Admins,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_address_is_a_network_of_one() {
        assert_eq!(String::from(Network::try_from("10.1.2.3".to_owned()).unwrap()), "10.1.2.3/32");
        assert_eq!(String::from(Network::try_from("fd00::/8".to_owned()).unwrap()), "fd00::/8");
        assert!(Network::try_from("10.1.2.3/33".to_owned()).is_err());
        assert!(Network::try_from("proxy".to_owned()).is_err());
    }

    #[test]
    fn a_number_out_of_range_names_the_range() {
        assert_eq!(Number::<1, 9>::try_from(9).unwrap().get(), 9);
        let error = Number::<1, 9>::try_from(10).unwrap_err();
        assert_eq!(error, "10 is out of range: it must be from 1 to 9");
    }
}
