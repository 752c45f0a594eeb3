//! The files of the example of a farm, with this machine's places put into them: what is shipped is what is measured.
//!
//! A place that is not found is an error, so that the example can't change without this being noticed.

use anyhow::{Result, ensure};

pub(super) const SERVER: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/farm/rowhouse.toml"));
pub(super) const NGINX: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/farm/nginx.conf"));
pub(super) const HAPROXY: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/farm/haproxy.cfg"));

/// Servers of the example: `web1` and so on.
pub(super) const SERVERS: usize = 3;

/// Puts the second text of each pair in every place of the first.
pub(super) fn fitted(text: &str, changes: &[(&str, String)]) -> Result<String> {
    let mut text = text.to_owned();
    for (from, to) in changes {
        ensure!(text.contains(*from), "the example of a farm has no `{from}` any more: fit it anew");
        text = text.replace(*from, to);
    }
    Ok(text)
}

/// Puts these ports of this machine in the place of the example's servers. Those without a port are left out.
pub(super) fn with_servers(text: &str, ports: &[u16]) -> Result<String> {
    let mut text = text.to_owned();
    for number in 1..=SERVERS {
        let name = format!("web{number}:8080");
        text = match ports.get(number - 1) {
            Some(port) => fitted(&text, &[(name.as_str(), format!("127.0.0.1:{port}"))])?,
            None => {
                text.lines().filter(|line| !line.contains(&name)).map(|line| format!("{line}\n")).collect()
            }
        };
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_there_is_an_error() {
        assert_eq!(fitted("a b a", &[("a", "c".to_owned())]).ok().as_deref(), Some("c b c"));
        assert!(fitted("a b", &[("x", "c".to_owned())]).is_err());
    }

    #[test]
    fn every_server_of_the_balancers_is_known() {
        for text in [NGINX, HAPROXY] {
            let all = with_servers(text, &[1001, 1002, 1003]).unwrap();
            assert!(all.contains("127.0.0.1:1003") && !all.contains("web3:8080"), "{all}");
            let one = with_servers(text, &[1001]).unwrap();
            assert!(one.contains("127.0.0.1:1001") && !one.contains("web2:8080"), "{one}");
        }
    }
}
