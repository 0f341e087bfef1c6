//! A headless Chromium, driven over its DevTools protocol.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, stream::MaybeTlsStream};

/// A running browser with one page.
pub struct Browser {
    child: Child,
    _profile: tempfile::TempDir,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    next_id: u64,
    events: Vec<Value>,
}

/// What there is to see of a page.
#[derive(Debug)]
pub struct Look {
    /// Errors, warnings and exceptions on the console.
    pub console: Vec<String>,
    /// Addresses asked for that are no files.
    pub foreign_requests: Vec<String>,
    /// Charts on the page.
    pub n_charts: u64,
    /// Charts with a box of some size.
    pub n_visible_charts: u64,
    /// Width the page needs, px.
    pub scroll_width: u64,
    /// Visible text.
    pub text: String,
}

const MEASURE: &str = r#"(() => {
  // A chart may have a second form for narrow screens: the one that is not shown has no boxes.
  const charts = [...document.querySelectorAll('svg[role=img]')].filter(chart => chart.getClientRects().length > 0);
  const visible = charts.filter(chart => {
    const box = chart.getBoundingClientRect();
    return box.width > 100 && box.height > 20 && getComputedStyle(chart).visibility === 'visible';
  });
  return {
    n_charts: charts.length, n_visible_charts: visible.length,
    scroll_width: document.documentElement.scrollWidth, text: document.body.innerText,
  };
})()"#;

impl Browser {
    /// Starts Chromium with a profile of its own.
    pub fn start() -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--remote-debugging-port=0",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args([
                "--disable-extensions",
                "--hide-scrollbars",
                "--disable-dev-shm-usage",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium starts; `cargo xtask test` installs it");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                line.strip_prefix("DevTools listening on ")
                    .map(str::to_string)
            })
            .expect("chromium names its DevTools address");
        // Read on, or the browser blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = tungstenite::connect(address).unwrap();
        let mut browser = Browser {
            child,
            _profile: profile,
            socket,
            session: String::new(),
            next_id: 0,
            events: Vec::new(),
        };
        let target =
            browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"]
                .clone();
        let attached = browser.call(
            "Target.attachToTarget",
            json!({ "targetId": target, "flatten": true }),
        );
        browser.session = attached["sessionId"].as_str().unwrap().to_string();
        for domain in ["Runtime", "Log", "Network", "Page"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a file at a viewport width and looks at it.
    pub fn open(&mut self, file: &Path, width: u64, dark: bool) -> Look {
        let scheme = if dark { "dark" } else { "light" };
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 }),
        );
        self.events.clear();
        let url = format!("file://{}", file.display()).replace(' ', "%20");
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
        while !self
            .events
            .iter()
            .any(|event| event["method"] == "Page.loadEventFired")
        {
            self.receive();
        }
        let result = self.call(
            "Runtime.evaluate",
            json!({ "expression": MEASURE, "returnByValue": true }),
        );
        let value = &result["result"]["value"];
        assert!(value.is_object(), "{result}");
        Look {
            console: self.console(),
            foreign_requests: self.foreign_requests(),
            n_charts: value["n_charts"].as_u64().unwrap(),
            n_visible_charts: value["n_visible_charts"].as_u64().unwrap(),
            scroll_width: value["scroll_width"].as_u64().unwrap(),
            text: value["text"].as_str().unwrap().to_string(),
        }
    }

    /// Runs an expression on the open page and gives its value, awaited where it is a promise.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.call(
            "Runtime.evaluate",
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }),
        );
        assert!(result["exceptionDetails"].is_null(), "{result}");
        result["result"]["value"].clone()
    }

    /// The open page as a PDF.
    pub fn print(&mut self) -> Vec<u8> {
        let result = self.call("Page.printToPDF", json!({ "preferCSSPageSize": true }));
        let data = result["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(data)
            .unwrap()
    }

    fn console(&self) -> Vec<String> {
        let methods = [
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
            "Log.entryAdded",
        ];
        let noisy = self
            .events
            .iter()
            .filter(|event| methods.iter().any(|method| event["method"] == *method));
        noisy.map(|event| event["params"].to_string()).collect()
    }

    fn foreign_requests(&self) -> Vec<String> {
        let requests = self
            .events
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        let urls = requests.filter_map(|event| event["params"]["request"]["url"].as_str());
        urls.filter(|url| !url.starts_with("file://") && !url.starts_with("data:"))
            .map(str::to_string)
            .collect()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let mut request = json!({ "id": self.next_id, "method": method, "params": params });
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        self.socket
            .send(Message::text(request.to_string()))
            .unwrap();
        loop {
            if let Some(answer) = self.receive() {
                assert_eq!(answer["id"], self.next_id);
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// Reads one message; an answer is returned, an event kept.
    fn receive(&mut self) -> Option<Value> {
        let Message::Text(text) = self.socket.read().unwrap() else {
            return None;
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["id"].is_u64() {
            return Some(message);
        }
        self.events.push(message);
        None
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
