//! A peer of `cargo xtask bench apns`: the `a2` crate, sending so many pushes with so many in flight
//! at a time over one connection.

use std::{
    cell::Cell,
    env,
    error::Error,
    fs,
    path::Path,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use a2::{
    Client, ClientConfig, NotificationOptions, Priority, PushType, request::payload::PayloadLike,
};
use serde::Serialize;
use tokio::task::LocalSet;

type Failure = Box<dyn Error>;

const USAGE: &str = "usage: mdm-bench-a2 PORT FOLDER IN_FLIGHT PUSHES";

const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("a2: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let [port, folder, in_flight, pushes] = arguments else {
        return Err(USAGE.into());
    };
    let (folder, in_flight) = (Path::new(folder), in_flight.parse()?);
    let pushes: usize = pushes.parse()?;
    let known = Rc::new(Known::read(port, folder)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // The connection stands before the time runs.
        known.push(0).await?;
        let tally = Rc::new(Tally::default());
        let began = Instant::now();
        let workers = LocalSet::new();
        for _ in 0..in_flight {
            workers.spawn_local(work(Rc::clone(&known), Rc::clone(&tally), pushes));
        }
        workers.await;
        let seconds = began.elapsed().as_secs_f64();
        let (delivered, failed) = (tally.delivered.get(), tally.failed.get());
        println!("{delivered} {failed} {seconds:.9}");
        Ok(())
    })
}

/// Pushes one after the other until all are sent.
async fn work(known: Rc<Known>, tally: Rc<Tally>, pushes: usize) {
    loop {
        let number = tally.next.replace(tally.next.get() + 1);
        if number >= pushes {
            return;
        }
        match known.push(number).await {
            Ok(()) => tally.delivered.set(tally.delivered.get() + 1),
            Err(failure) => {
                if tally.failed.replace(tally.failed.get() + 1) == 0 {
                    eprintln!("a2: first failure: {failure}");
                }
            }
        }
    }
}

#[derive(Default)]
struct Tally {
    next: Cell<usize>,
    delivered: Cell<usize>,
    failed: Cell<usize>,
}

struct Known {
    client: Client,
    topic: String,
    magic: String,
    tokens: Vec<String>,
}

impl Known {
    fn read(port: &str, folder: &Path) -> Result<Self, Failure> {
        // What the replaced sources read.
        if env::var("A2_HOST").as_deref() != Ok(&format!("localhost:{port}")) {
            return Err("A2_HOST names another server".into());
        }
        let (certificate, key) = (folder.join("push.pem"), folder.join("push.key"));
        let client = Client::certificate_parts(
            &fs::read(certificate)?,
            &fs::read(key)?,
            ClientConfig::default(),
        )?;
        let pushes = fs::read_to_string(folder.join("pushes"))?;
        let mut lines = pushes.lines().map(str::to_owned);
        Ok(Self {
            client,
            topic: lines.next().ok_or("no topic")?,
            magic: lines.next().ok_or("no magic")?,
            tokens: lines.collect(),
        })
    }

    async fn push(&self, number: usize) -> Result<(), Failure> {
        let id = uuid::Uuid::new_v4().hyphenated().to_string();
        let until = SystemTime::UNIX_EPOCH.elapsed()? + LIFETIME;
        let push = Push {
            mdm: &self.magic,
            token: &self.tokens[number % self.tokens.len()],
            options: NotificationOptions {
                apns_id: Some(&id),
                apns_push_type: Some(PushType::Mdm),
                apns_expiration: Some(until.as_secs().div_ceil(60) * 60),
                apns_priority: Some(Priority::High),
                apns_topic: Some(&self.topic),
                apns_collapse_id: None,
            },
        };
        match self.client.send(push).await?.code {
            200 => Ok(()),
            code => Err(format!("{code} without an error").into()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Push<'a> {
    mdm: &'a str,
    #[serde(skip)]
    token: &'a str,
    #[serde(skip)]
    options: NotificationOptions<'a>,
}

impl PayloadLike for Push<'_> {
    fn get_device_token(&self) -> &str {
        self.token
    }

    fn get_options(&self) -> &NotificationOptions<'_> {
        &self.options
    }
}
