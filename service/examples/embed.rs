//! The service behind a web server of one's own, here hyper on loopback; TLS is a proxy's business.
//!
//! `cargo run -p mdm-service --example embed -- CA.pem`: devices whose certificates that authority
//! issued may enrol.
#![allow(clippy::print_stdout)]

use std::{convert::Infallible, env, error::Error, fs};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mdm_core::SystemClock;
use mdm_pki::Certificate;
use mdm_service::{Limits, MdmSignature, MemoryStore, Service};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: embed CA.pem")?;
    let authorities = Certificate::stack_from_pem(&fs::read(path)?)?;
    let identity = MdmSignature::new(authorities)?;
    let service = Service::builder(MemoryStore::new(), SystemClock, identity).build();

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!(
        "CheckInURL and ServerURL: http://{}/mdm",
        listener.local_addr()?
    );
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(&service, request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer);
            if let Err(error) = connection.await {
                println!("a connection ended early: {error}");
            }
        });
    }
}

async fn answer(
    service: &Service,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // The service checks the length too, but this stops reading there.
    let limit = Limits::default().report_bytes;
    let response = match Limited::new(body, limit).collect().await {
        Ok(body) => {
            let request = Request::from_parts(head, body.to_bytes());
            service.handle(request).await
        }
        Err(_) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            response
        }
    };
    Ok(response.map(Full::new))
}
