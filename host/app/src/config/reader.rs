//! Takes settings out of a TOML file one by one and remembers what was wrong with each. What is left
//! over at the end is unknown.

use super::{LogFormat, Mode};
use anyhow::Context;
use rowhouse_base::{DataServerName, Hostname, Limits, Network, TenantName};
use rowhouse_control::ControlUrl;
use rowhouse_redis::{InvalidRedisNamespace, RedisNamespace, RedisUrl};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use toml::{Table, Value};

pub(super) struct Reader {
    file: String,
    pub(super) table: Table,
    known: BTreeSet<(&'static str, &'static str)>,
    pub(super) problems: Vec<String>,
}

impl Reader {
    pub(super) fn new(text: &str, file: &str) -> anyhow::Result<Self> {
        let table = text.parse::<Table>().with_context(|| format!("read {file} as TOML"))?;
        Ok(Self { file: file.to_owned(), table, known: BTreeSet::new(), problems: Vec::new() })
    }

    pub(super) fn take<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        target: &mut T,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) {
        let Some(value) = self.given(section, key) else { return };
        match parse(&value) {
            Ok(parsed) => *target = parsed,
            Err(right) => self.problems.push(format!("{section}.{key}: {right}, not {value}")),
        }
    }

    /// Like [`Self::take`] for a setting that holds a password: what was given is not repeated.
    pub(super) fn take_secret<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        target: &mut T,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) {
        let Some(value) = self.given(section, key) else { return };
        match parse(&value) {
            Ok(parsed) => *target = parsed,
            Err(right) => self.problems.push(format!("{section}.{key}: {right}")),
        }
    }

    fn given(&mut self, section: &'static str, key: &'static str) -> Option<Value> {
        self.known.insert((section, key));
        let Some(Value::Table(settings)) = self.table.get_mut(section) else { return None };
        settings.remove(key)
    }

    /// Whether a section has settings, and not this one. To be asked before they are taken.
    pub(super) fn lacks(&self, section: &str, key: &str) -> bool {
        match self.table.get(section) {
            Some(Value::Table(settings)) => !settings.is_empty() && !settings.contains_key(key),
            Some(_) | None => false,
        }
    }

    pub(super) fn check(&mut self, holds: bool, key: &str, right: impl Fn() -> String) {
        if !holds {
            self.problems.push(format!("{key}: {}", right()));
        }
    }

    /// Limits have many names and one kind of value, so they go through their own type's names.
    pub(super) fn limits(&mut self, defaults: Limits) -> Limits {
        let Some(Value::Table(given)) = self.table.remove("limits") else { return defaults };
        let Ok(mut all) = Table::try_from(&defaults) else { return defaults };
        for (key, value) in given {
            match (all.contains_key(&key), value.as_integer()) {
                (true, Some(number)) if number > 0 => {
                    all.insert(key, value);
                }
                (true, _) => self.problems.push(format!("limits.{key}: a whole number above 0, not {value}")),
                (false, _) => {
                    let names = all.keys().map(String::as_str);
                    self.problems
                        .push(format!("limits.{key}: there is no such setting{}", nearest(&key, names)));
                }
            }
        }
        match all.try_into() {
            Ok(limits) => limits,
            Err(error) => {
                self.problems.push(format!("limits: {error}"));
                defaults
            }
        }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        for (section, value) in std::mem::take(&mut self.table) {
            let Value::Table(left) = value else {
                self.problems.push(format!("{section}: stands outside any section, such as [server]"));
                continue;
            };
            let names: Vec<&str> =
                self.known.iter().filter(|(s, _)| *s == section).map(|(_, key)| *key).collect();
            if names.is_empty() {
                let sections: BTreeSet<&str> = self.known.iter().map(|(section, _)| *section).collect();
                let near = nearest(&section, sections.into_iter().chain(["limits", "data-servers"]));
                self.problems.push(format!("[{section}]: there is no such section{near}"));
                continue;
            }
            for key in left.keys() {
                let near = nearest(key, names.iter().copied());
                self.problems.push(format!("{section}.{key}: there is no such setting{near}"));
            }
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        anyhow::bail!("the configuration in {} is not valid:\n  {}", self.file, self.problems.join("\n  "))
    }
}

pub(super) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| (strsim::levenshtein(name, wrong), name))
        .min()
        .map_or(String::new(), |(_, name)| format!("; did you mean {name}?"))
}

pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "a text in quotes".into())
}

pub(super) fn address(value: &Value) -> Result<SocketAddr, String> {
    let right = || "an address and port, such as \"127.0.0.1:8080\"".to_owned();
    text(value)?.parse().map_err(|_malformed| right())
}

pub(super) fn hostname(value: &Value) -> Result<Hostname, String> {
    Hostname::parse(&text(value)?).map_err(|error| error.to_string())
}

pub(super) fn hostnames(value: &Value) -> Result<Vec<Hostname>, String> {
    let list = value.as_array().ok_or("a list of host names, such as [\"127.0.0.1\"]")?;
    list.iter().map(hostname).collect()
}

pub(super) fn networks(value: &Value) -> Result<Vec<Network>, String> {
    let right =
        || "a list of networks, such as [\"10.1.0.0/16\"], with no bits set past the prefix".to_owned();
    let list = value.as_array().ok_or_else(right)?;
    list.iter().map(|one| text(one)?.parse().map_err(|_malformed| right())).collect()
}

pub(super) fn data_server(value: &Value) -> Result<DataServerName, String> {
    text(value)?.parse().map_err(|_malformed| "the name of a data server, such as \"local\"".to_owned())
}

pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "true or false".to_owned())
}

pub(super) fn percent(value: &Value) -> Result<u8, String> {
    let number = value.as_integer().and_then(|number| u8::try_from(number).ok());
    number
        .filter(|number| (1..=100).contains(number))
        .ok_or_else(|| "a whole number from 1 to 100".to_owned())
}

pub(super) fn control_url(value: &Value) -> Result<Option<ControlUrl>, String> {
    ControlUrl::parse(&text(value)?).map(Some).map_err(|error| error.to_string())
}

pub(super) fn redis_url(value: &Value) -> Result<Option<RedisUrl>, String> {
    RedisUrl::parse(&text(value)?).map(Some).map_err(|error| error.to_string())
}

pub(super) fn redis_namespace(value: &Value) -> Result<RedisNamespace, String> {
    text(value)?.parse().map_err(|error: InvalidRedisNamespace| error.to_string())
}

pub(super) fn scheme(value: &Value) -> Result<String, String> {
    match text(value)?.as_str() {
        scheme @ ("http" | "https") => Ok(scheme.to_owned()),
        _ => Err("\"http\" or \"https\"".into()),
    }
}

pub(super) fn mode(value: &Value) -> Result<Mode, String> {
    match text(value)?.as_str() {
        "multi" => Ok(Mode::Multi),
        "single" => Ok(Mode::Single),
        _ => Err("\"multi\" or \"single\"".into()),
    }
}

pub(super) fn site(value: &Value) -> Result<Option<TenantName>, String> {
    TenantName::parse(&text(value)?).map(Some).map_err(|error| error.to_string())
}

pub(super) fn title(value: &Value) -> Result<Option<String>, String> {
    super::title(&text(value)?).map(Some)
}

pub(super) fn log_format(value: &Value) -> Result<LogFormat, String> {
    match text(value)?.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("\"text\" or \"json\"".into()),
    }
}

fn whole(value: &Value, least: i64) -> Result<u64, String> {
    let right = || format!("a whole number of at least {least}");
    let number = value.as_integer().filter(|number| *number >= least).ok_or_else(right)?;
    u64::try_from(number).map_err(|_negative| right())
}

pub(super) fn count<T: TryFrom<u64>>(value: &Value) -> Result<T, String> {
    T::try_from(whole(value, 1)?).map_err(|_too_large| "a smaller number".into())
}

pub(super) fn amount<T: TryFrom<u64>>(value: &Value) -> Result<T, String> {
    T::try_from(whole(value, 0)?).map_err(|_too_large| "a smaller number".into())
}

/// One to write with and one to read with, at least.
pub(super) fn connections(value: &Value) -> Result<u32, String> {
    u32::try_from(whole(value, 2)?).map_err(|_too_large| "a smaller number".into())
}

pub(super) fn port(value: &Value) -> Result<Option<u16>, String> {
    count(value).map(Some)
}

pub(super) fn millis(value: &Value) -> Result<Duration, String> {
    whole(value, 1).map(Duration::from_millis)
}

pub(super) fn millis_or_none(value: &Value) -> Result<Duration, String> {
    whole(value, 0).map(Duration::from_millis)
}

pub(super) fn days(value: &Value) -> Result<Duration, String> {
    whole(value, 0).map(|days| Duration::from_secs(days.saturating_mul(24 * 3600)))
}
