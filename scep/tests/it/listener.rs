//! Our server behind a real socket, for programs that are not ours.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response};
use mdm_core::{Clock as _, Secret, SystemClock};
use mdm_pki::{Certificate, Name};
use mdm_scep::{
    Approval, Bound, EmbeddedCa, Event, MemoryStore, Observer, OneTime, Policy, Responder, Server,
    ca::{NextCa, RootUse, root},
    pending::Resolution,
};

use crate::world::{CA_KEY, OTHER_KEY, Recorder, YEAR, rsa_key};

/// Whether this program can be started.
pub(crate) fn found(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\" >/dev/null", program])
        .status();
    found.is_ok_and(|status| status.success())
}

/// A program that `cargo xtask peers` builds where there is Go; `None`, once said so, where it has not.
pub(crate) fn built(name: &str) -> Option<PathBuf> {
    built_folder(&format!("go/{name}"))
}

/// What `cargo xtask peers` has put there.
pub(crate) fn built_folder(name: &str) -> Option<PathBuf> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.peers");
    let peer = peers.join(name);
    let there = peer.exists();
    if !there {
        eprintln!("skipped: {name} is not built");
    }
    there.then_some(peer)
}

/// A server of theirs that ends with the test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program said.
pub(crate) fn shown(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A server by the machine's clock with a challenge for `CN=device7`.
pub(crate) struct Enrolling {
    pub(crate) listener: Listener,
    pub(crate) challenge: Secret<String>,
    pub(crate) events: Arc<Recorder>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) ca: Certificate,
}

impl Enrolling {
    pub(crate) fn start(label: &str, policy: Policy) -> Self {
        let clock = Arc::new(SystemClock);
        let store = Arc::new(MemoryStore::new());
        let key = rsa_key(CA_KEY);
        let name = Name::from_common_name("Example CA");
        let ca = root(name, &key, RootUse::Alone, YEAR, clock.now()).unwrap();
        let authority =
            EmbeddedCa::new(vec![ca.clone()], Arc::new(key.clone()), store.clone()).unwrap();
        let challenges = OneTime::new(store.clone());
        let issue = challenges.issue(label, Bound::common_name("device7"), clock.now());
        let challenge = issue.now_or_never().unwrap().unwrap();
        let events = Arc::new(Recorder::default());
        let next = rsa_key(OTHER_KEY);
        let name = Name::from_common_name("Next CA");
        let next = root(name, &next, RootUse::Alone, YEAR, clock.now()).unwrap();
        let next = NextCa::sign(&[next], &ca, &key).now_or_never().unwrap();
        let responder = Responder::local(ca.clone(), key).unwrap();
        let server = Server::builder(Arc::new(authority), responder, Arc::new(challenges), clock)
            .policy(policy)
            .next_ca(next.unwrap())
            .observer(events.clone())
            .build()
            .unwrap();
        Self {
            listener: Listener::start(server),
            challenge,
            events,
            store,
            ca,
        }
    }
}

/// A server by the machine's clock that lets every request wait, for as long as it takes to tell the client so.
pub(crate) struct Waiting {
    pub(crate) listener: Listener,
    pub(crate) observer: Arc<Approving>,
    pub(crate) ca: Certificate,
}

impl Waiting {
    pub(crate) fn start(policy: Policy) -> Self {
        let clock = Arc::new(SystemClock);
        let store = Arc::new(MemoryStore::new());
        let key = rsa_key(CA_KEY);
        let name = Name::from_common_name("Example CA");
        let ca = root(name, &key, RootUse::Alone, YEAR, clock.now()).unwrap();
        let authority = EmbeddedCa::new(vec![ca.clone()], Arc::new(key.clone()), store.clone());
        let approval = Approval::new(store.clone(), store);
        let observer = Arc::new(Approving(approval.clone(), Recorder::default()));
        let responder = Responder::local(ca.clone(), key).unwrap();
        let authority = Arc::new(authority.unwrap());
        let server = Server::builder(authority, responder, Arc::new(approval), clock)
            .policy(policy)
            .observer(observer.clone())
            .build()
            .unwrap();
        Self {
            listener: Listener::start(server),
            observer,
            ca,
        }
    }
}

/// Approves whatever waits.
#[derive(Debug)]
pub(crate) struct Approving(Approval, pub(crate) Recorder);

impl Observer for Approving {
    fn observe(&self, event: &Event<'_>) {
        self.1.observe(event);
        if matches!(event, Event::Pending { .. }) {
            let waiting = self.0.unresolved(9).now_or_never().unwrap();
            for (id, pending) in waiting.unwrap() {
                let resolved = self.0.resolve(&id, pending.request, Resolution::Approved);
                resolved.now_or_never().unwrap().unwrap();
            }
        }
    }
}

/// One connection after the other, each for one request, on a free loopback port.
pub(crate) struct Listener {
    pub(crate) url: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) fn start(server: Server) -> Self {
        let server = Arc::new(server);
        Self::serve(move |request| {
            let server = server.clone();
            async move { server.handle(request).await }
        })
    }

    pub(crate) fn serve<F>(handle: impl Fn(Request<Bytes>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Response<Bytes>>,
    {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/scep", socket.local_addr().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            for stream in socket.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Some((request, mut stream)) = read(stream.unwrap()) {
                    let response = runtime.block_on(handle(request));
                    let head = format!(
                        "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        response.status(),
                        response.headers()["content-type"].to_str().unwrap(),
                        response.body().len()
                    );
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(response.body()).unwrap();
                }
            }
        });
        Self {
            url,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let address = self.url["http://".len()..].trim_end_matches("/scep");
        let _ = TcpStream::connect(address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(stream: TcpStream) -> Option<(Request<Bytes>, TcpStream)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let builder = Request::builder().method(words.next()?).uri(words.next()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((builder.body(body.into()).ok()?, reader.into_inner()))
}

/// One request on a connection of its own.
pub(crate) fn over_a_socket(request: &Request<Bytes>) -> Response<Bytes> {
    let address = request.uri().authority().unwrap().as_str();
    // It says that it listens just before it does.
    let mut stream = (0..1_000_000)
        .find_map(|_| {
            std::thread::yield_now();
            TcpStream::connect(address).ok()
        })
        .unwrap();
    let head = format!(
        "{} {} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        request.method(),
        request.uri().path_and_query().unwrap(),
        request.body().len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(request.body()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response::builder()
        .status(status)
        .body(Bytes::from(answer.split_off(end + 4)))
        .unwrap()
}
