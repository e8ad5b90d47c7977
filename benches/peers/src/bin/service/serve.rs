//! Our server in a process of its own: the service over hyper, and SQLite or PostgreSQL.

use std::{
    convert::Infallible,
    fs,
    future::pending,
    net::{TcpListener, TcpStream},
    num::NonZero,
    path::Path,
    thread,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mdm_core::{Secret, SystemClock};
use mdm_pki::Certificate;
use mdm_service::{Limits, MdmSignature, Service, Store};
use mdm_storage::{PostgresStore, SqliteStore, postgres};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::Failure;

/// Connections to PostgreSQL, of all reactors together.
const CONNECTIONS: usize = 8;

/// Opens a PostgreSQL database with so many connections.
pub(crate) async fn postgres(address: &str, connections: usize) -> Result<PostgresStore, Failure> {
    let connections = NonZero::new(connections).ok_or("no connection")?;
    let options = postgres::Options::default().with(|options| options.connections = connections);
    Ok(PostgresStore::connect(&Secret::new(address.to_owned()), options).await?)
}

/// Tells where it is, and serves until its standard input ends.
///
/// Each processor has a thread with a reactor of its own, and a connection stays with the one that it was given to, as do
/// its connections to PostgreSQL: a reactor that is shared wakes a second thread for each answer of the store.
pub(crate) fn serve(store: &str, address: &str, ca: &Path) -> Result<bool, Failure> {
    let ca = Certificate::from_pem(&fs::read(ca)?)?;
    let count = thread::available_parallelism()?.get();
    let sqlite = match store {
        "sqlite" => Some(reactor()?.block_on(SqliteStore::open(address))?),
        _ => None,
    };
    let mut reactors = Vec::with_capacity(count);
    for _ in 0..count {
        let runtime = reactor()?;
        let identity = MdmSignature::new(vec![ca.clone()])?;
        let service = match &sqlite {
            Some(store) => service(store.clone(), identity),
            None => {
                let share = CONNECTIONS.div_ceil(count);
                let store = runtime.block_on(postgres(address, share))?;
                service(store, identity)
            }
        };
        let handle: Handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(pending::<()>()));
        reactors.push((handle, service));
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    thread::spawn(move || {
        let turns = reactors.iter().cycle();
        for (stream, (reactor, service)) in listener.incoming().flatten().zip(turns) {
            reactor.spawn(connection(stream, service.clone()));
        }
    });
    std::io::stdin().lines().count();
    Ok(true)
}

fn service(store: impl Store + 'static, identity: MdmSignature) -> Service {
    Service::builder(store, SystemClock, identity).build()
}

fn reactor() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

async fn connection(stream: TcpStream, service: Service) {
    let _ = stream.set_nonblocking(true);
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
        return;
    };
    let answer = service_fn(|request| async {
        let response = answer(&service, request).await;
        Ok::<_, Infallible>(response)
    });
    // An error is a client that has gone.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn answer(service: &Service, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let longest = Limits::default().report_bytes;
    let Ok(body) = Limited::new(body, longest).collect().await else {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return refused;
    };
    let request = Request::from_parts(head, body.to_bytes());
    service.handle(request).await.map(Full::new)
}
