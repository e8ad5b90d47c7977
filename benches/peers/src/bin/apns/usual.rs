//! A service on the `h2` crate, one task a push, as services in Rust usually are: it takes three to four
//! times as long for a push as the fake does, and answers every one 200.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use mdm_tls::{ServerConfig, TlsStream};
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, service::Counted};

#[derive(Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    accepted: AtomicU64,
}

impl Counters {
    pub(crate) fn counted(&self) -> Counted {
        Counted {
            connections: self.connections.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
        }
    }
}

pub(crate) async fn serve(listener: TcpListener, tls: ServerConfig, counters: Arc<Counters>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, counters) = (tls.clone(), Arc::clone(&counters));
        tokio::spawn(async move {
            let stream = match tcp.set_nodelay(true) {
                Ok(()) => tls.accept(tcp).await,
                Err(_) => return,
            };
            if let Ok(stream) = stream {
                counters.connections.fetch_add(1, Relaxed);
                // It ends as the client ends it.
                let _ = connection(stream, &counters).await;
            }
        });
    }
}

/// With Apple's settings.
async fn connection(
    stream: TlsStream<TcpStream>,
    counters: &Arc<Counters>,
) -> Result<(), h2::Error> {
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(1000)
        .max_header_list_size(8000)
        .handshake(stream)
        .await?;
    while let Some(push) = connection.accept().await {
        let (request, respond) = push?;
        let counters = Arc::clone(counters);
        tokio::spawn(async move {
            if answer(request, respond).await.is_ok() {
                counters.accepted.fetch_add(1, Relaxed);
            }
        });
    }
    Ok(())
}

async fn answer(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Failure> {
    let (head, mut body) = request.into_parts();
    while let Some(chunk) = body.data().await {
        let length = chunk?.len();
        body.flow_control().release_capacity(length)?;
    }
    let mut answer = http::Response::new(());
    if let Some(id) = head.headers.get("apns-id") {
        answer.headers_mut().insert("apns-id", id.clone());
    }
    respond.send_response(answer, true)?;
    Ok(())
}
