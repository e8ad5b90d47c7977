//! Our server in a process of its own: SCEP over hyper and SQLite.

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mdm_core::SystemClock;
use mdm_pki::{Certificate, KeySpec, Name, PrivateKey};
use mdm_scep::{
    EmbeddedCa, OneTime, Responder, Server,
    ca::{RootUse, root},
};
use mdm_storage::SqliteStore;
use tokio::net::TcpListener;

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
pub(crate) fn serve(folder: &Path) -> Result<bool, Failure> {
    let ca = Certificate::from_pem(&fs::read(ca_path(folder))?)?;
    let key = PrivateKey::from_pem(&fs::read(key_path(folder))?, None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = Arc::new(store(folder).await?);
        let signer = Arc::new(key.clone());
        let authority = EmbeddedCa::new(vec![ca.clone()], signer, store.clone())?;
        let challenges = Arc::new(OneTime::new(store));
        let responder = Responder::local(ca, key)?;
        let clock = Arc::new(SystemClock);
        let server = Server::builder(Arc::new(authority), responder, challenges, clock).build()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/scep", listener.local_addr()?);
        tokio::spawn(listen(listener, Arc::new(server)));
        tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
        Ok(true)
    })
}

async fn listen(listener: TcpListener, server: Arc<Server>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let server = Arc::clone(&server);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(answer(&server, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
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
