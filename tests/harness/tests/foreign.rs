//! Components that nobody here wrote the toolchain for run unchanged as site modules.

use anyhow::Result;
use rowhouse_tests::TestServer;

/// Python guests start slower and need more of everything than the shipped site.
const ROOMY: &str = "[limits]\ncpu-ms = 10000\n";

/// componentize-py's own examples answer `POST /echo` with what they got.
fn echoes(name: &str) -> Result<()> {
    let server = TestServer::start_with(ROOMY)?;
    server.site_of("foreign", name)?;
    for round in 0..3 {
        let said = format!("said {round} ").repeat(1000);
        let answer =
            server.visitor().post_bytes("/foreign/echo", "text/plain", said.as_bytes())?.expect(200)?;
        assert_eq!(answer.text(), said);
    }
    let refused = server.get("foreign", "/elsewhere")?;
    assert!((400..500).contains(&refused.status), "the guest's own status passes: {}", refused.status);
    Ok(())
}

#[test]
fn a_python_component_for_wasi_http_02() -> Result<()> {
    echoes("py-http02")
}

#[test]
fn a_python_component_for_wasi_http_03() -> Result<()> {
    echoes("py-http03")
}

#[test]
fn rust_components_for_each_lane() -> Result<()> {
    let server = TestServer::start()?;
    for name in ["hello", "hello-http02", "hello-http03", "page", "page-http02"] {
        server.site_of(&format!("site-{name}"), name)?;
        for _ in 0..3 {
            let answer = server.get(&format!("site-{name}"), "/")?.expect(200)?;
            assert!(!answer.body.is_empty(), "{name}");
        }
    }
    Ok(())
}
