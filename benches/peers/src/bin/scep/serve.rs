//! Our server in a process of its own: SCEP over hyper and SQLite.

use std::{
    convert::Infallible,
    fs,
    future::pending,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use mdm_core::SystemClock;
use mdm_pki::{Certificate, KeySpec, Name, PrivateKey};
use mdm_scep::{
    EmbeddedCa, OneTime, Responder, Server,
    ca::{RootUse, root},
};
use mdm_storage::SqliteStore;
use tokio::runtime::{Builder, Runtime};

use crate::Failure;

/// The longest body that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// Opens the store of a folder.
pub(crate) async fn store(folder: &Path) -> Result<SqliteStore, Failure> {
    Ok(SqliteStore::open(folder.join("scep.sqlite")).await?)
}

/// Makes the authority of a folder.
pub(crate) fn found(folder: &Path) -> Result<(), Failure> {
    let key = PrivateKey::generate(KeySpec::Rsa2048)?;
    let name = Name::from_common_name("Example CA");
    let years = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    let certificate = root(name, &key, RootUse::Alone, years, Utc::now())?;
    fs::write(ca_path(folder), certificate.to_pem())?;
    fs::write(key_path(folder), key.to_pkcs8_pem()?.as_bytes())?;
    Ok(())
}

fn ca_path(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

fn key_path(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

/// Tells where it is, and serves until its standard input ends.
///
/// Each processor has a thread with a reactor of its own, and a connection stays with the one that it was given to: a reactor that
/// is shared wakes a second thread for each answer of the store.
pub(crate) fn serve(folder: &Path) -> Result<bool, Failure> {
    let ca = Certificate::from_pem(&fs::read(ca_path(folder))?)?;
    let key = PrivateKey::from_pem(&fs::read(key_path(folder))?, None)?;
    let store = Arc::new(reactor()?.block_on(store(folder))?);
    let signer = Arc::new(key.clone());
    let authority = EmbeddedCa::new(vec![ca.clone()], signer, store.clone())?;
    let challenges = Arc::new(OneTime::new(store));
    let responder = Responder::local(ca, key)?;
    let clock = Arc::new(SystemClock);
    let server = Server::builder(Arc::new(authority), responder, challenges, clock).build()?;
    let server = Arc::new(server);
    let reactors = thread::available_parallelism()?.get();
    let reactors = (0..reactors)
        .map(|_| {
            let runtime = reactor()?;
            let handle = runtime.handle().clone();
            thread::spawn(move || runtime.block_on(pending::<()>()));
            Ok(handle)
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/scep", listener.local_addr()?);
    thread::spawn(move || {
        for (stream, reactor) in listener.incoming().flatten().zip(reactors.iter().cycle()) {
            reactor.spawn(connection(stream, Arc::clone(&server)));
        }
    });
    std::io::stdin().lines().count();
    Ok(true)
}

fn reactor() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn connection(stream: TcpStream, server: Arc<Server>) {
    let _ = stream.set_nonblocking(true);
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
        return;
    };
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(answer(&server, request).await) }
    });
    // Whoever is slow is the proxy's in front to cut off. An error is a client that has gone.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(server: &Server, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LONGEST).collect().await else {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return refused;
    };
    let request = Request::from_parts(head, body.to_bytes());
    server.handle(request).await.map(Full::new)
}
