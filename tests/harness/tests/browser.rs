//! What people do in a browser: sign in, write, look, sign out. Chromium through chromedriver, both
//! provided by `cargo xtask test`.

use anyhow::{Context, Result};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use rowhouse_tests::TestServer;
use serde_json::json;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// chromedriver, killed when dropped.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn browser(width: u32) -> Result<(Driver, Client)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let driver = Command::new(rowhouse_tests::chromedriver())
        .arg(format!("--port={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start chromedriver: install the package chromium-driver")?;
    let driver = Driver(driver);
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
    ];
    let mut arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    arguments.push(format!("--window-size={width},900"));
    let mut wanted = Capabilities::new();
    wanted.insert("goog:chromeOptions".into(), json!({ "args": arguments }));
    for _ in 0..100 {
        match ClientBuilder::new(fantoccini_connector())
            .capabilities(wanted.clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
        {
            Ok(client) => return Ok((driver, client)),
            Err(_not_yet) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    anyhow::bail!("chromedriver did not start a browser")
}

fn fantoccini_connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

async fn fill(client: &Client, selector: &str, text: &str) -> Result<()> {
    let field = client.find(Locator::Css(selector)).await.with_context(|| format!("find {selector}"))?;
    field.clear().await?;
    field.send_keys(text).await?;
    Ok(())
}

async fn submit(client: &Client, selector: &str) -> Result<()> {
    client.find(Locator::Css(selector)).await.with_context(|| format!("find {selector}"))?.click().await?;
    Ok(())
}

/// Waits until the browser is where a form leads: a click returns before the answer is there.
async fn arrives(client: &Client, end_of_address: &str) -> Result<()> {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let at = client.current_url().await?;
        if at.as_str().ends_with(end_of_address) {
            return Ok(());
        }
        anyhow::ensure!(std::time::Instant::now() < end, "the browser stays at {at}, not {end_of_address}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// No page may be wider than the window: on a phone that means scrolling sideways.
async fn fits(client: &Client, path: &str) -> Result<()> {
    let wide =
        client.execute("return document.documentElement.scrollWidth - window.innerWidth", vec![]).await?;
    assert!(wide.as_i64().unwrap_or(0) <= 0, "{path} is {wide} px wider than the window");
    Ok(())
}

#[tokio::test]
async fn an_owner_writes_a_page_in_the_browser() -> Result<()> {
    let server = TestServer::start()?;
    let operator = server.operator()?;
    let body = json!({ "name": "club", "title": "The Club", "settings": { "starter": "club" } });
    operator.post_json("/-/api/v1/tenants", &body)?.expect(201)?;
    operator
        .post_json("/-/api/v1/users", &json!({ "name": "olga", "password": "a long enough password" }))?
        .expect(201)?;
    let member = "/-/api/v1/tenants/club/members/olga";
    operator.send("PUT", member, Some(("application/json", br#"{"roles":["owner"]}"#)))?.expect(200)?;

    let (_driver, client) = browser(1280).await?;
    let site = format!("http://club.localhost:{}", server.port());
    client.goto(&format!("{site}/manage")).await?;
    fill(&client, "#name", "olga").await?;
    fill(&client, "#password", "a long enough password").await?;
    submit(&client, "form button").await?;
    arrives(&client, "/manage").await?;
    client.goto(&format!("{site}/manage/pages/new")).await?;
    fill(&client, "[name=title]", "Written in a browser").await?;
    fill(&client, "[name=body]", "Some *plain* words.").await?;
    submit(&client, "main form button").await?;
    arrives(&client, "?done=added").await?;
    let visible = client.source().await?;
    assert!(visible.contains("Written in a browser"), "{visible}");
    client.close().await?;
    Ok(())
}

#[tokio::test]
async fn pages_fit_a_phone() -> Result<()> {
    let server = TestServer::start()?;
    let operator = server.operator()?;
    for starter in ["club", "school", "branch"] {
        let body =
            json!({ "name": starter, "title": format!("The {starter}"), "settings": { "starter": starter } });
        operator.post_json("/-/api/v1/tenants", &body)?.expect(201)?;
    }
    let (_driver, client) = browser(390).await?;
    let base = format!("http://localhost:{}", server.port());
    for starter in ["club", "school", "branch"] {
        for path in ["/", "/news", "/events", "/contact", "/-/sign-in", "/nothing-here"] {
            client.goto(&format!("{base}/{starter}{path}")).await?;
            fits(&client, &format!("{starter}{path}")).await?;
        }
    }
    client.goto(&format!("{base}/-/sign-in")).await?;
    fits(&client, "console sign-in").await?;
    client.close().await?;
    Ok(())
}
