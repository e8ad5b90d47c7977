//! A connection that breaks on purpose.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};

/// Stands before a server. Once told so it withholds what the server says next, and hangs up.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    cuts: Arc<AtomicBool>,
    round_trips: Arc<AtomicUsize>,
}

impl Proxy {
    pub(super) async fn before(server: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicBool::new(false));
        let round_trips = Arc::new(AtomicUsize::new(0));
        let shared = (cuts.clone(), round_trips.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&server).await.unwrap();
                let (cuts, round_trips) = shared.clone();
                tokio::spawn(pass(near, far, cuts, round_trips));
            }
        });
        Self {
            address,
            cuts,
            round_trips,
        }
    }

    /// How often the server was asked for an answer so far.
    pub(super) fn round_trips(&self) -> usize {
        self.round_trips.load(Ordering::SeqCst)
    }

    /// The next answer gets lost.
    pub(super) fn cut(&self) {
        self.cuts.store(true, Ordering::SeqCst);
    }
}

async fn pass(
    mut near: TcpStream,
    mut far: UnixStream,
    cuts: Arc<AtomicBool>,
    round_trips: Arc<AtomicUsize>,
) {
    let (mut from_client, mut to_client) = near.split();
    let (mut from_server, mut to_server) = far.split();
    let asks = async {
        let mut buffer = vec![0; 65536];
        let mut messages = Messages::default();
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let asked = messages.count(&buffer[..read]);
            round_trips.fetch_add(asked, Ordering::SeqCst);
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    };
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
        () = asks => {}
        () = answers => {}
    }
}

/// What a client says, cut into messages: a length and then as much, with a letter before all but the first.
#[derive(Default)]
struct Messages {
    unread: Vec<u8>,
    begun: bool,
}

impl Messages {
    /// How many of what ends here want an answer: `Sync` and `Query`.
    fn count(&mut self, said: &[u8]) -> usize {
        self.unread.extend_from_slice(said);
        let mut asked = 0;
        loop {
            let letter = usize::from(self.begun);
            let Some(length) = self.unread.get(letter..letter + 4) else {
                return asked;
            };
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + letter;
            if self.unread.len() < length {
                return asked;
            }
            asked += usize::from(self.begun && matches!(self.unread[0], b'S' | b'Q'));
            self.begun = true;
            self.unread.drain(..length);
        }
    }
}
