//! A server in a process of its own, and everything around it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::Utc;
use http::{HeaderValue, Method, Request, StatusCode};
use mdm_fake_apple::{
    apns::{self, FakeApns, PushAuthority},
    authority::Authority,
};
use mdm_sdk::{
    core::SystemClock,
    pki::{Certificate, Identity},
    transport::{HttpTransport, transport_fn},
    transport_reqwest::ReqwestTransport,
};
use mdm_simulator::{Activation, Device, DeviceCa, Hardware};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "a token of the admin API, for tests";

/// The longest wait for something that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Settings and files of a server, and the Apple that it talks to.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    /// Where devices reach the server: 0 until the first one has chosen a port, which those after it keep.
    port: AtomicU16,
    pub(crate) apns: FakeApns,
    pub(crate) factory: DeviceCa,
    pub(crate) web: Authority,
    /// Whether the server speaks TLS itself.
    pub(crate) tls: bool,
    /// Where a proxy listens that ends TLS in front of the server.
    pub(crate) proxy: Option<u16>,
    /// Added to the settings.
    pub(crate) more: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let push = PushAuthority::new().unwrap();
        let settings = apns::Config::new(vec![push.root().clone()]);
        let apns = FakeApns::start(settings.with(|apns| apns.accept_any_token = true)).await;
        let apns = apns.unwrap();
        let web = Authority::new("Example Web Root").unwrap();
        let factory = DeviceCa::new(Utc::now()).unwrap();
        let world = Self {
            port: AtomicU16::new(0),
            proxy: None,
            folder,
            apns,
            factory,
            web,
            tls: true,
            more: String::new(),
        };
        world.identity("web", &world.web.server_identity().unwrap());
        world.identity("push", &push.issue_new().unwrap());
        world.file("root.pem", &world.web.root().to_pem());
        world.file("factory.pem", &world.factory.certificate().to_pem());
        world.file("apns.pem", &world.apns.root_pem());
        world.file("admin", TOKEN);
        let made = world.run(&["new-key", &world.path("key").display().to_string()]);
        assert!(made.status.success(), "{made:?}");
        world
    }

    fn identity(&self, name: &str, identity: &Identity) {
        self.file(&format!("{name}.pem"), &identity.chain_pem());
        self.file(
            &format!("{name}-key.pem"),
            &identity.key.to_pkcs8_pem().unwrap(),
        );
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        let port = self.proxy.unwrap_or_else(|| self.port.load(SeqCst));
        format!("https://127.0.0.1:{port}")
    }

    /// Where the server itself listens.
    pub(crate) fn port(&self) -> u16 {
        self.port.load(SeqCst)
    }

    /// Writes the settings, of which `data` is the data directory.
    fn settings(&self, data: &str) -> PathBuf {
        let path = |name: &str| self.path(name).display().to_string();
        let (key, file) = (path("key"), path(&format!("{data}.toml")));
        let settings = format!(
            r#"
public_url = "{url}"
organization = "Example"
data = "{data}"
sealing.key_file = "{key}"
listen.address = "127.0.0.1:{port}"
{tls}
admin.address = "127.0.0.1:0"
admin.token_file = "{admin}"
enrollment.roots = "{root}"
enrollment.device_authorities = "{factory}"
push = {{ certificate = "{push}", key = "{push_key}", host = "{host}", port = {apns}, roots = "{apns_root}" }}
log.format = "json"
{more}
"#,
            url = self.url(),
            data = path(data),
            port = self.port.load(SeqCst),
            tls = match self.tls && self.proxy.is_none() {
                true => format!(
                    r#"listen.tls = {{ certificate = "{}", key = "{}" }}"#,
                    path("web.pem"),
                    path("web-key.pem")
                ),
                false => String::new(),
            },
            admin = path("admin"),
            root = path("root.pem"),
            factory = path("factory.pem"),
            push = path("push.pem"),
            push_key = path("push-key.pem"),
            host = self.apns.host(),
            apns = self.apns.port(),
            apns_root = path("apns.pem"),
            more = self.more,
        );
        fs::write(&file, settings).unwrap();
        PathBuf::from(file)
    }

    /// Runs a task of the command line to its end, over the data directory `data`.
    pub(crate) fn task(&self, data: &str, task: &[&str]) -> std::process::Output {
        let settings = self.settings(data).display().to_string();
        self.run(&[&["--config", settings.as_str()], task].concat())
    }

    /// Begins such a task and does not wait for it.
    pub(crate) fn begin(&self, data: &str, task: &[&str]) -> Child {
        let settings = self.settings(data);
        let begun = program()
            .arg("--config")
            .arg(settings)
            .args(task)
            .stdout(Stdio::null())
            .spawn();
        begun.unwrap()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> std::process::Output {
        program().args(arguments).output().unwrap()
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(&self, data: &str) -> Server {
        let server = Server::begin(&self.settings(data)).wait();
        self.port.store(server.devices.port(), SeqCst);
        server
    }

    /// Starts several servers at once, each on a port of its own.
    pub(crate) fn start_all(&self, data: &[&str]) -> Vec<Server> {
        self.port.store(0, SeqCst);
        let starting: Vec<_> = data
            .iter()
            .map(|data| Server::begin(&self.settings(data)))
            .collect();
        starting.into_iter().map(Starting::wait).collect()
    }

    /// Has devices reach this one of several.
    pub(crate) fn point_to(&self, server: &Server) {
        self.port.store(server.devices.port(), SeqCst);
    }

    /// Adds a user to the file `users`, by the line that the program prints.
    pub(crate) fn user(&self, arguments: &[&str], password: &str) {
        let mut child = program()
            .arg("user")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success());
        let line = String::from_utf8(done.stdout).unwrap();
        assert!(!line.contains(password));
        let users = fs::read_to_string(self.path("users")).unwrap_or_default();
        self.file("users", &format!("{users}{line}"));
    }

    /// A device out of its box.
    pub(crate) fn device(&self, serial: &str) -> Device {
        self.device_over(serial, self.transport())
    }

    /// A device that speaks HTTP in its own way.
    pub(crate) fn device_over(&self, serial: &str, transport: Arc<dyn HttpTransport>) -> Device {
        self.device_of(Hardware::mac(serial).unwrap(), transport)
    }

    /// A device of some kind, with a way of its own to the server.
    pub(crate) fn device_of(
        &self,
        hardware: Hardware,
        transport: Arc<dyn HttpTransport>,
    ) -> Device {
        let built_in = self.factory.device_identity(&hardware).unwrap();
        Device::new(hardware, built_in, transport, Arc::new(SystemClock))
    }

    /// HTTPS as devices speak it, on a new connection each time: a server that was restarted has closed the others.
    pub(crate) fn transport(&self) -> Arc<dyn HttpTransport> {
        self.transport_as(None)
    }

    /// The same, with a certificate shown when the server asks for one.
    pub(crate) fn transport_as(&self, identity: Option<&Identity>) -> Arc<dyn HttpTransport> {
        let root = self.web.root().to_der();
        let mut transport = ReqwestTransport::builder().root(root).only_roots(true);
        if let Some(identity) = identity {
            let key = identity.key.to_pkcs8_pem().unwrap();
            transport = transport.identity(key.as_bytes(), identity.chain_pem().as_bytes());
        }
        let transport = transport.build().unwrap();
        Arc::new(transport_fn(move |mut request: Request<Bytes>| {
            let transport = transport.clone();
            let close = HeaderValue::from_static("close");
            request.headers_mut().insert("connection", close);
            async move { transport.send(request).await }
        }))
    }

    /// GETs from the side of devices.
    pub(crate) async fn get(&self, url: &str) -> (StatusCode, Bytes) {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        let response = self.transport().send(request).await.unwrap();
        (response.status(), response.into_body())
    }

    /// Has a device enrol by a link, up to its push token.
    pub(crate) async fn enroll(&self, server: &Server, serial: &str) -> Device {
        let mut device = self.device(serial);
        self.identify(server, &mut device).await;
        device.authenticate().await.unwrap();
        device.update_token().await.unwrap();
        device
    }

    /// Has a device take its profile by a link, and obtain its identity.
    pub(crate) async fn identify(&self, server: &Server, device: &mut Device) {
        let serial = device.hardware().serial_number.to_string();
        let invitation = json!({ "serial_number": serial });
        let link = server.post("/v1/invitations", &invitation).await;
        let (status, profile) = self.get(link["url"].as_str().unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        let activation = self.activation("").await;
        device
            .install_enrollment_profile(&profile, &activation)
            .unwrap();
        device.obtain_identity().await.unwrap();
    }

    /// Whom a device trusts that was pointed to `url`.
    pub(crate) async fn activation(&self, url: &str) -> Activation {
        let authority = format!("{}/scep?operation=GetCACert", self.url());
        let (status, certificate) = self.get(&authority).await;
        assert_eq!(status, StatusCode::OK);
        let certificate = Certificate::from_der(&certificate).unwrap();
        let anchors = [STANDARD.encode(certificate.to_der())];
        Activation::from_json(&json!({ "url": url, "anchor_certs": anchors })).unwrap()
    }

    /// Waits for a push to the device, which it judges, and then has it call.
    pub(crate) async fn call(&self, device: &mut Device) -> Vec<String> {
        let token = device.push_token().unwrap().clone();
        let magic = tokio::time::timeout(PATIENCE, self.apns.next_push(token.expose()));
        device.wake(&magic.await.expect("a push in time")).unwrap();
        device.poll().await.unwrap()
    }
}

pub(crate) fn id(device: &Device) -> String {
    format!("device:{}", device.hardware().udid)
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mdm-server"))
}

/// A process that does not listen yet.
struct Starting(Child);

/// The process.
pub(crate) struct Server {
    child: Child,
    devices: SocketAddr,
    admin: String,
    transport: ReqwestTransport,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    fn begin(settings: &Path) -> Starting {
        let begun = program()
            .arg("--config")
            .arg(settings)
            .arg("serve")
            .stderr(Stdio::piped())
            .spawn();
        Starting(begun.unwrap())
    }
}

impl Starting {
    /// Waits until it listens.
    fn wait(self) -> Server {
        let mut child = self.0;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let (devices, admin) = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the server ended: {seen:#?}");
            };
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            seen.push(line);
            if told["fields"]["message"] == "listening" {
                let address = |key: &str| told["fields"][key].as_str().unwrap().to_owned();
                let devices = address("devices").parse().unwrap();
                break (devices, format!("http://{}", address("admin")));
            }
        };
        let log = Arc::new(Mutex::new(seen));
        let shared = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                shared.lock().unwrap().push(line);
            }
        });
        Server {
            child,
            devices,
            admin,
            transport: ReqwestTransport::builder().no_proxy().build().unwrap(),
            log,
            reader: Some(reader),
        }
    }
}

impl Server {
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.admin))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(body.map_or_else(Bytes::new, |body| body.to_string().into()))
            .unwrap();
        let response = self.transport.send(request).await.unwrap();
        (response.status(), response.into_body())
    }

    async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.ask(method, path, TOKEN, body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.json(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.json(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Value {
        self.json(Method::PUT, path, Some(body)).await
    }

    /// The whole address of a path of the admin API.
    pub(crate) fn admin(&self, path: &str) -> String {
        format!("{}{path}", self.admin)
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        self.json(Method::DELETE, path, None).await
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Asks it to stop as a service manager does; whether it ended well.
    pub(crate) fn stop(mut self) -> (bool, String) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        let ended = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (ended.success(), self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended by itself where the test made it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("{}", self.log());
        }
    }
}
