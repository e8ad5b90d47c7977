//! The servers: this program again, in processes of their own that may be killed.

use std::{
    convert::Infallible,
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use mdm_core::{Secret, SystemClock};
use mdm_pki::Certificate;
use mdm_service::{MdmSignature, Service};
use mdm_storage::{PostgresStore, postgres::Options};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};

/// Names the database and the authority to a server; a test that finds it set is one.
const DATABASE: &str = "MDM_STORAGE_CHAOS_DATABASE";
const AUTHORITY: &str = "MDM_STORAGE_CHAOS_AUTHORITY";

const TEST: &str = "chaos::commands_are_settled_once_and_in_order_though_servers_are_killed";

/// What a server says once it listens.
const SAYS: &str = "listens at ";

/// Where a server listens, as its last start has it.
pub(super) type Address = Arc<Mutex<SocketAddr>>;

pub(super) struct Servers {
    database: String,
    folder: TempDir,
    servers: [(Option<Child>, Address); 2],
}

impl Servers {
    pub(super) fn start(database: &str, authority: &Certificate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.to_pem()).unwrap();
        let nowhere = || Arc::new(Mutex::new(SocketAddr::from(([127, 0, 0, 1], 1))));
        let mut servers = Self {
            database: database.to_owned(),
            folder,
            servers: [(None, nowhere()), (None, nowhere())],
        };
        servers.restart();
        servers
    }

    pub(super) fn addresses(&self) -> [Address; 2] {
        [self.servers[0].1.clone(), self.servers[1].1.clone()]
    }

    /// Ends one where it is.
    pub(super) fn kill(&mut self, n: usize) {
        if let Some(mut server) = self.servers[n].0.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts those that were killed.
    pub(super) fn restart(&mut self) {
        let authority = self.folder.path().join("ca.pem");
        for (server, address) in &mut self.servers {
            if server.is_some() {
                continue;
            }
            let mut started = Command::new(env::current_exe().unwrap())
                .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
                .env(DATABASE, &self.database)
                .env(AUTHORITY, &authority)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(started.stdout.take().unwrap()).lines();
            let said = lines.map(Result::unwrap).find_map(|line| {
                let at = line.find(SAYS)?;
                line[at + SAYS.len()..].parse().ok()
            });
            *address.lock().unwrap() = said.expect("a server died by itself");
            *server = Some(started);
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.kill(0);
        self.kill(1);
    }
}

pub(super) fn is_victim() -> bool {
    env::var_os(DATABASE).is_some()
}

/// Serves until it is killed, or nobody is left to do so.
pub(super) fn serve() {
    let address = Secret::new(env::var(DATABASE).unwrap());
    let authority = fs::read(env::var_os(AUTHORITY).unwrap()).unwrap();
    let authority = Certificate::from_pem(&authority).unwrap();
    let runtime = Runtime::new().unwrap();
    runtime.spawn(async move {
        let store = PostgresStore::connect(&address, Options::default()).await;
        let identity = MdmSignature::new(vec![authority]).unwrap();
        let service = Service::builder(store.unwrap(), SystemClock, identity).build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = format!("{SAYS}{}\n", listener.local_addr().unwrap());
        // One write, so that nobody reads half of it.
        io::stdout().write_all(line.as_bytes()).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let answer = service_fn(|request| answer(&service, request));
                // A device that hangs up is none of our business.
                let connection = http1::Builder::new();
                let _ = connection
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    io::stdin().lines().count();
}

async fn answer(
    service: &Service,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // A device that was cut off gets nothing for what it began to say.
    let Ok(body) = body.collect().await else {
        return Ok(Response::default());
    };
    let request = Request::from_parts(head, body.to_bytes());
    Ok(service.handle(request).await.map(Full::new))
}
