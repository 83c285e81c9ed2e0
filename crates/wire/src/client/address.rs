//! Connection strings, as clients of KurrentDB write them.
//!
//! ```text
//!   kurrentdb://127.0.0.1:2113?tls=false&defaultDeadline=5000
//!   scheme      host      port  options, in any case
//! ```
//!
//! One server, without encryption, is what there is. What asks for more is
//! refused by name; options that are about choosing among several servers say
//! nothing here and are passed over.

use std::fmt;
use std::time::Duration;

use super::RemoteOptions;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Its name or number; an IPv6 number in brackets.
    host: String,
    port: u16,
}

/// Why a text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is not written as one.
    #[error("{url:?} is no address of a server, {what}: write it as kurrentdb://127.0.0.1:2113?tls=false")]
    NotOne {
        /// The text.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// It asks for what is not there yet.
    #[error("{what}: {instead}")]
    Unsupported {
        /// What it asks for.
        what: String,
        /// What to do about it.
        instead: &'static str,
    },
}

const PORT: u16 = 2113;
const SCHEMES: [&str; 5] = ["factum", "kurrentdb", "esdb", "kurrent", "kdb"];

/// Options about choosing among servers, or about looks only.
const PASSED_OVER: [&str; 7] = [
    "connectionname",
    "discoveryinterval",
    "gossiptimeout",
    "maxdiscoverattempts",
    "nodepreference",
    "throwonappendfailure",
    "tlsverifycert",
];

impl Address {
    /// Understands a connection string; what it says about times goes into
    /// `options`.
    pub fn parse(url: &str, options: &mut RemoteOptions) -> Result<Self, AddressError> {
        let wrong = |what: &str| AddressError::NotOne { url: url.to_owned(), what: what.to_owned() };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme.ends_with("+discover") {
            return unsupported("finding the servers of a cluster", "name one server, without +discover");
        }
        if !SCHEMES.contains(&scheme.as_str()) {
            return Err(wrong(&format!("its scheme is not one of {}", SCHEMES.join(", "))));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains('@') {
            return unsupported("a user and a password", "the server asks for none yet: leave them out");
        }
        if place.contains(',') {
            return unsupported("several servers", "name the one that `factum serve` runs on");
        }
        let address = Self::place(place).map_err(wrong)?;
        let mut is_encrypted = true;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let millis = || -> Result<Option<Duration>, AddressError> {
                match value.parse::<i64>() {
                    Ok(-1) => Ok(None),
                    Ok(millis @ 1..) => Ok(Some(Duration::from_millis(millis.unsigned_abs()))),
                    _ => Err(wrong(&format!("{key} is in milliseconds, from 1, or -1 for none"))),
                }
            };
            match key.to_ascii_lowercase().as_str() {
                "tls" => {
                    is_encrypted = match value.to_ascii_lowercase().as_str() {
                        "true" => true,
                        "false" => false,
                        _ => return Err(wrong("tls is true or false")),
                    };
                }
                "defaultdeadline" => {
                    if let Some(wait) = millis()? {
                        options.answer_within = wait;
                    }
                }
                "keepaliveinterval" => options.keep_alive_every = millis()?,
                "keepalivetimeout" => {
                    if let Some(wait) = millis()? {
                        options.keep_alive_within = wait;
                    }
                }
                "look" => {
                    let micros = value.parse().map_err(|_| wrong("look is in microseconds, 0 for never"))?;
                    options.look_for_answers = Duration::from_micros(micros);
                }
                "tlscafile" | "usercertfile" | "userkeyfile" => {
                    return unsupported(
                        &format!("the option {key}"),
                        "there is no encryption yet: leave it out",
                    );
                }
                known if PASSED_OVER.contains(&known) => {}
                _ => return Err(wrong(&format!("it has an option {key}, which is not known"))),
            }
        }
        match is_encrypted {
            true => unsupported(
                "an encrypted connection, which is what is meant unless tls=false is said",
                "the server has no encryption yet: add ?tls=false",
            ),
            false => Ok(address),
        }
    }

    fn place(place: &str) -> Result<Self, &'static str> {
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (number, after) = rest.split_once(']').ok_or("its [ has no ]")?;
                if number.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err("between [ and ] stands no IPv6 number");
                }
                (&place[..number.len() + 2], after.strip_prefix(':'))
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || !host.starts_with('[') && !host.chars().all(is_plain) {
            return Err("its host is no name");
        }
        let port = match port {
            None => PORT,
            Some(port) => match port.parse() {
                Ok(port @ 1..) => port,
                _ => return Err("its port is no number from 1 to 65535"),
            },
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

fn unsupported<T>(what: &str, instead: &'static str) -> Result<T, AddressError> {
    Err(AddressError::Unsupported { what: format!("the address asks for {what}"), instead })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, AddressError> {
        Address::parse(url, &mut RemoteOptions::default())
    }

    #[test]
    fn understands_what_clients_write() {
        for (url, place) in [
            ("kurrentdb://127.0.0.1:2113?tls=false", "127.0.0.1:2113"),
            ("esdb://localhost?tls=false", "localhost:2113"),
            ("factum://[::1]:9/?TLS=False", "[::1]:9"),
            ("factum://[::1]?tls=false", "[::1]:2113"),
            ("KDB://my-host.example:1?nodePreference=leader&tls=false&connectionName=a", "my-host.example:1"),
        ] {
            assert_eq!(parse(url).unwrap().to_string(), place, "{url}");
        }
    }

    #[test]
    fn times_are_options() {
        let mut options = RemoteOptions::default();
        let url = "esdb://a?tls=false&defaultDeadline=250&keepAliveInterval=-1&keepAliveTimeout=7&look=40";
        Address::parse(url, &mut options).unwrap();
        assert_eq!(options.answer_within, Duration::from_millis(250));
        assert_eq!((options.keep_alive_every, options.keep_alive_within), (None, Duration::from_millis(7)));
        assert_eq!(options.look_for_answers, Duration::from_micros(40));
    }

    #[test]
    fn refuses_with_what_to_do() {
        for (url, says) in [
            ("127.0.0.1:2113", "it has no scheme"),
            ("http://127.0.0.1:2113", "its scheme is not one of factum, kurrentdb"),
            ("esdb://127.0.0.1:2113", "add ?tls=false"),
            ("esdb://127.0.0.1:2113?tls=true", "add ?tls=false"),
            ("esdb://127.0.0.1:2113?tls=perhaps", "tls is true or false"),
            ("esdb://a:1,b:2?tls=false", "several servers: name the one"),
            ("esdb+discover://a?tls=false", "without +discover"),
            ("esdb://admin:changeit@a?tls=false", "leave them out"),
            ("esdb://?tls=false", "its host is no name"),
            ("esdb://a b?tls=false", "its host is no name"),
            ("esdb://a:0?tls=false", "its port is no number"),
            ("esdb://a:70000?tls=false", "its port is no number"),
            ("esdb://[::1?tls=false", "its [ has no ]"),
            ("esdb://[x]?tls=false", "no IPv6 number"),
            ("esdb://a?tls=false&colour=red", "an option colour, which is not known"),
            ("esdb://a?tls=false&tlsCaFile=x", "there is no encryption yet"),
            ("esdb://a?tls=false&defaultDeadline=0", "in milliseconds"),
            ("esdb://a?tls=false&look=-1", "look is in microseconds"),
        ] {
            let said = parse(url).unwrap_err().to_string();
            assert!(said.contains(says), "{url}: {said}");
        }
    }
}
