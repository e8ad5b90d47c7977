//! A client that is not ours, over a real socket: certmonger enrols at our server.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use http::{Request, Response};
use mdm_core::{Clock as _, SystemClock};
use mdm_pki::{Certificate, Name};
use mdm_scep::{
    Bound, EmbeddedCa, MemoryStore, OneTime, Responder, Server,
    ca::{RootUse, root},
};

use crate::{
    peers::missing,
    world::{CA_KEY, YEAR, rsa_key},
};

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

#[test]
fn certmonger_enrols_with_a_one_time_challenge() {
    // Debian keeps the session's daemon outside of the usual path.
    let path_variable = format!(
        "{}:/usr/lib/certmonger:/usr/libexec/certmonger",
        std::env::var("PATH").unwrap_or_default()
    );
    for program in ["getcert", "certmonger-session", "dbus-run-session"] {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$0\" >/dev/null", program])
            .env("PATH", &path_variable)
            .status();
        if !found.is_ok_and(|status| status.success()) {
            return missing(program);
        }
    }
    let clock = Arc::new(SystemClock);
    let store = Arc::new(MemoryStore::new());
    let key = rsa_key(CA_KEY);
    let name = Name::from_common_name("Example CA");
    let ca = root(name, &key, RootUse::Alone, YEAR, clock.now()).unwrap();
    let authority =
        EmbeddedCa::new(vec![ca.clone()], Arc::new(key.clone()), store.clone()).unwrap();
    let challenges = OneTime::new(store.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let issue = challenges.issue("certmonger", Bound::common_name("device7"), clock.now());
    let challenge = runtime.block_on(issue).unwrap();
    let responder = Responder::local(ca.clone(), key).unwrap();
    let server = Server::builder(Arc::new(authority), responder, Arc::new(challenges), clock)
        .build()
        .unwrap();
    let listener = Listener::start(server);

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.pem"), ca.to_pem()).unwrap();
    let script = "
        certmonger-session -n -d 1 >log 2>&1 &
        daemon=$!
        trap 'kill $daemon; wait $daemon' EXIT
        for _ in $(seq 100); do getcert list -s >/dev/null 2>&1 && break; sleep 0.1; done
        getcert add-scep-ca -s -c peer -u \"$URL\" -r \"$PWD/ca.pem\" -N \"$PWD/ca.pem\" &&
        timeout 60 getcert request -s -c peer -I id -f \"$PWD/leaf.pem\" -k \"$PWD/key.pem\" \
            -N CN=device7 -L \"$CHALLENGE\" -w -v
        code=$?
        getcert list -s
        cat log
        exit $code";
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script])
        .current_dir(folder.path())
        .env("PATH", &path_variable)
        .env("HOME", folder.path())
        .env("XDG_CONFIG_HOME", path("config"))
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("URL", &listener.url)
        .env("CHALLENGE", challenge.expose())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let leaf = Certificate::from_pem(&std::fs::read(path("leaf.pem")).unwrap()).unwrap();
    assert_eq!(leaf.subject().common_name().as_deref(), Some("device7"));
    leaf.verify_signed_by(&ca.public_key().unwrap()).unwrap();
    assert_eq!(store.issued(), 1);
}
