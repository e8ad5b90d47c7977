//! A connection that breaks on purpose.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream, UnixStream},
};

/// Stands before a server. Once told so it withholds what the server says next, and hangs up.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    cuts: Arc<AtomicBool>,
}

impl Proxy {
    pub(super) async fn before(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicBool::new(false));
        let shared = cuts.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(pass(near, far, shared.clone()));
            }
        });
        Self { address, cuts }
    }

    /// The next answer gets lost.
    pub(super) fn cut(&self) {
        self.cuts.store(true, Ordering::SeqCst);
    }
}

async fn pass(mut near: TcpStream, mut far: UnixStream, cuts: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = near.split();
    let (mut from_server, mut to_server) = far.split();
    let asks = copy(&mut from_client, &mut to_server);
    let answers = async {
        let mut buffer = vec![0; 65536];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            if cuts.swap(false, Ordering::SeqCst) {
                break;
            }
            if to_client.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = asks => {}
        () = answers => {}
    }
}
