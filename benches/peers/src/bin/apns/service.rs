//! The fake service in a process of its own.

use std::{
    cell::RefCell,
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use mdm_fake_apple::{
    apns::{Config, FakeApns, Fault, PushAuthority},
    authority::Authority,
};
use mdm_tls::ServerConfig;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    Failure,
    usual::{self, Counters},
};

const TOPIC: &str = "com.apple.mgmt.External.3a1c9b52-6a35-4ffb-9b52-0c1f6f0a9d11";
const MAGIC: &str = "47250C9C-1B37-4381-98A9-0B8315A441C7";

/// How the service behaves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Behaviour {
    /// Answers each push so many milliseconds after it came.
    Delay(u64),
    /// Is no fake but the usual server in Rust; answers at once.
    Usual,
    /// At each push of this number says goodbye, and answers those that have come.
    GoesAway(u64),
    /// The same, but it closes the connection at once.
    HangsUp(u64),
}

impl Behaviour {
    /// As two arguments of the service's process.
    fn arguments(self) -> [String; 2] {
        let (word, number) = match self {
            Self::Delay(millis) => ("delay", millis),
            Self::Usual => ("usual", 0),
            Self::GoesAway(every) => ("goes-away", every),
            Self::HangsUp(every) => ("hangs-up", every),
        };
        [word.to_owned(), number.to_string()]
    }

    fn read(word: &str, number: &str) -> Result<Self, Failure> {
        let number = number.parse()?;
        match word {
            "delay" => Ok(Self::Delay(number)),
            "usual" => Ok(Self::Usual),
            "goes-away" => Ok(Self::GoesAway(number)),
            "hangs-up" => Ok(Self::HangsUp(number)),
            _ => Err(format!("no behaviour `{word}`").into()),
        }
    }
}

/// A running service; ends when dropped.
pub(crate) struct Service {
    process: Child,
    talk: RefCell<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    folder: TempDir,
    pub(crate) port: u16,
}

/// What the service has counted since it started.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) connections: u64,
    pub(crate) accepted: u64,
}

impl Service {
    pub(crate) fn start(behaviour: Behaviour) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(folder.path())
            .args(behaviour.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = process.stdin.take().ok_or("no standard input")?;
        let answers = process.stdout.take().ok_or("no standard output")?;
        let mut answers = BufReader::new(answers).lines();
        let port = answers.next().ok_or("the fake died")??.parse()?;
        let this = Self {
            process,
            talk: RefCell::new((ask, answers)),
            folder,
            port,
        };
        this.write_pushes()?;
        Ok(this)
    }

    pub(crate) fn counted(&self) -> Result<Counted, Failure> {
        let (ask, answers) = &mut *self.talk.borrow_mut();
        writeln!(ask)?;
        let answer = answers.next().ok_or("the fake died")??;
        let (connections, accepted) = answer.split_once(' ').ok_or("no counters")?;
        Ok(Counted {
            connections: connections.parse()?,
            accepted: accepted.parse()?,
        })
    }

    /// Where `root.pem`, `push.pem`, `push.key` and the pushes are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What h2load sends with each push. It has no id for each: the service makes one.
    pub(crate) fn headers(&self) -> Result<Vec<String>, Failure> {
        let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
        let until = now.div_ceil(60) * 60 + 7 * 24 * 60 * 60;
        Ok(vec![
            "apns-push-type: mdm".to_owned(),
            "apns-priority: 10".to_owned(),
            format!("apns-topic: {TOPIC}"),
            format!("apns-expiration: {until}"),
        ])
    }

    fn write_pushes(&self) -> Result<(), Failure> {
        let (mut pushes, mut urls) = (format!("{TOPIC}\n{MAGIC}\n"), String::new());
        for token in tokens() {
            pushes += &format!("{token}\n");
            urls += &format!("https://localhost:{}/3/device/{token}\n", self.port);
        }
        fs::write(self.folder().join("pushes"), pushes)?;
        fs::write(self.folder().join("urls"), urls)?;
        fs::write(
            self.folder().join("body"),
            format!(r#"{{"mdm":"{MAGIC}"}}"#),
        )?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A thousand tokens of 32 bytes that look random and are the same each time.
fn tokens() -> impl Iterator<Item = String> {
    let mut state = 1_u64;
    let mut word = move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..1000).map(move |_| {
        format!(
            "{:016x}{:016x}{:016x}{:016x}",
            word(),
            word(),
            word(),
            word()
        )
    })
}

/// The fake's process: writes certificates and keys into the folder, tells its port, and serves
/// until its standard input ends. For each line that it reads it tells what it has counted.
pub(crate) fn serve(folder: &str, word: &str, number: &str) -> Result<bool, Failure> {
    let folder = Path::new(folder);
    let behaviour = Behaviour::read(word, number)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let authority = PushAuthority::new()?;
        let own = authority.issue(TOPIC)?;
        fs::write(folder.join("push.pem"), own.chain_pem())?;
        fs::write(folder.join("push.key"), own.key.to_pkcs8_pem()?.as_bytes())?;
        let counted: Box<dyn Fn() -> Counted + Send> = if behaviour == Behaviour::Usual {
            let authority = Authority::new("Push Service")?;
            fs::write(folder.join("root.pem"), authority.root().to_pem())?;
            let identity = authority.server_identity()?;
            let tls = ServerConfig::builder(identity).alpn(&["h2"]).build()?;
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            println!("{}", listener.local_addr()?.port());
            let counters = Arc::new(Counters::default());
            tokio::spawn(usual::serve(listener, tls, Arc::clone(&counters)));
            Box::new(move || counters.counted())
        } else {
            let apns = fake(behaviour).await?;
            fs::write(folder.join("root.pem"), apns.root_pem())?;
            println!("{}", apns.port());
            Box::new(move || {
                let counters = apns.counters();
                Counted {
                    connections: counters.connections_opened,
                    accepted: counters.accepted,
                }
            })
        };
        tokio::task::spawn_blocking(move || {
            for line in std::io::stdin().lines() {
                line?;
                let Counted {
                    connections,
                    accepted,
                } = counted();
                println!("{connections} {accepted}");
            }
            Ok(true)
        })
        .await?
    })
}

async fn fake(behaviour: Behaviour) -> Result<FakeApns, Failure> {
    // h2load has no certificate to show.
    let config = Config::without_client_certificates().with(|config| {
        config.topic = Some(TOPIC.to_owned());
        config.accept_any_token = true;
        config.kept_pushes = 0;
        config.tracked_ids = 0;
        if let Behaviour::Delay(millis) = behaviour {
            config.delay = Duration::from_millis(millis);
        }
    });
    let apns = FakeApns::start(config).await?;
    match behaviour {
        Behaviour::Delay(_) | Behaviour::Usual => {}
        Behaviour::GoesAway(every) => apns.every(every, Fault::GoAway),
        Behaviour::HangsUp(every) => apns.every(every, Fault::AbruptGoAway { code: 0 }),
    }
    Ok(apns)
}
