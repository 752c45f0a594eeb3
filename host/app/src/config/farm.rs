//! This server among others, and behind proxies: its name, what it tells, whom it believes, how it listens.

use super::reader::{self, Reader};
use rowhouse_front::{ForwardedForm, TrustedProxies};
use std::time::Duration;
use toml::Value;

/// What an operator can decide about a server of a farm.
#[derive(Clone, Debug)]
pub struct FarmConfig {
    /// What people call this server.
    pub name: String,
    /// Whose word counts about visitors' addresses, scheme and host.
    pub proxies: TrustedProxies,
    /// Trusted proxies begin each connection with the PROXY protocol.
    pub proxy_protocol: bool,
    /// Several processes may listen on the same port.
    pub reuse_port: bool,
    /// Answers name this server in `X-Served-By`.
    pub served_by: bool,
    /// Answers set a cookie for balancers that send a visitor to the same server again.
    pub affinity_cookie: bool,
    /// A server that could not read the control database for this long says that it is not ready; never by default.
    pub unready_after: Option<Duration>,
}

impl Default for FarmConfig {
    fn default() -> Self {
        Self {
            name: host_name(),
            proxies: TrustedProxies::default(),
            proxy_protocol: false,
            reuse_port: false,
            served_by: false,
            affinity_cookie: false,
            unready_after: None,
        }
    }
}

impl FarmConfig {
    pub(super) fn take(&mut self, reader: &mut Reader) {
        reader.take("server", "name", &mut self.name, name);
        reader.take("server", "trusted-proxies", &mut self.proxies.networks, reader::networks);
        reader.take("server", "forwarded-fields", &mut self.proxies.form, form);
        reader.take("server", "proxy-protocol", &mut self.proxy_protocol, reader::boolean);
        reader.take("server", "reuse-port", &mut self.reuse_port, reader::boolean);
        reader.take("server", "served-by", &mut self.served_by, reader::boolean);
        reader.take("server", "affinity-cookie", &mut self.affinity_cookie, reader::boolean);
        reader.take("control", "unready-after-ms", &mut self.unready_after, |value| {
            reader::millis(value).map(Some)
        });
        let trusts = !self.proxies.networks.is_empty();
        reader.check(trusts || !self.proxy_protocol, "server.proxy-protocol", || {
            "only with server.trusted-proxies: nobody else may say whose a connection is".to_owned()
        });
    }
}

/// The machine's name, as far as it can be one of ours.
fn host_name() -> String {
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fits = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let own: String = own.trim().chars().filter(fits).take(64).collect();
    if own.is_empty() { "rowhouse".to_owned() } else { own }
}

/// It stands in a field and a cookie of answers.
fn name(value: &Value) -> Result<String, String> {
    let text = reader::text(value)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text)
    } else {
        Err("1 to 64 letters, digits, dots, hyphens and underscores".to_owned())
    }
}

fn form(value: &Value) -> Result<ForwardedForm, String> {
    match reader::text(value)?.as_str() {
        "x-forwarded" => Ok(ForwardedForm::Separate),
        "forwarded" => Ok(ForwardedForm::Standard),
        _ => Err("\"x-forwarded\" or \"forwarded\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use rowhouse_front::ForwardedForm;
    use std::time::Duration;

    #[test]
    fn a_farms_settings_arrive() {
        let text = r#"
            [server]
            name = "web-1"
            trusted-proxies = ["10.0.0.0/8", "fd00::1"]
            forwarded-fields = "forwarded"
            proxy-protocol = true
            reuse-port = true
            served-by = true
            affinity-cookie = true
            [control]
            unready-after-ms = 60000
        "#;
        let farm = Config::parse(text, "x").unwrap().farm;
        assert_eq!((farm.name.as_str(), farm.proxies.networks.len()), ("web-1", 2));
        assert_eq!(farm.proxies.form, ForwardedForm::Standard);
        assert!(farm.proxy_protocol && farm.reuse_port && farm.served_by && farm.affinity_cookie);
        assert_eq!(farm.unready_after, Some(Duration::from_secs(60)));
        let farm = Config::parse("", "x").unwrap().farm;
        assert!(!farm.name.is_empty() && farm.proxies.networks.is_empty() && farm.unready_after.is_none());
    }

    #[test]
    fn every_problem_is_listed() {
        let text = r#"
            [server]
            name = "a name"
            trusted-proxies = ["10.0.0.0/99"]
            forwarded-fields = "via"
            proxy-protocol = true
            reuse-port = "yes"
        "#;
        let problems = Config::parse(text, "x").unwrap_err().to_string();
        for expected in [
            "server.name: 1 to 64 letters",
            "server.trusted-proxies: a list of networks",
            "server.forwarded-fields: \"x-forwarded\" or \"forwarded\"",
            "server.proxy-protocol: only with server.trusted-proxies",
            "server.reuse-port: true or false",
        ] {
            assert!(problems.contains(expected), "{expected} is missing in:\n{problems}");
        }
    }
}
