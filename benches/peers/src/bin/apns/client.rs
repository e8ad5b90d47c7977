//! Our client: so many pushes with so many in flight at a time over one connection.

use std::{cell::Cell, fs, path::Path, rc::Rc, time::Instant};

use mdm_apns::{Client, Config, Outcome, Push, PushCertificate};
use mdm_core::{PushMagic, PushToken};
use mdm_pki::{Certificate, Identity};
use mdm_tls::Roots;
use tokio::task::LocalSet;

use crate::Failure;

pub(crate) fn push(
    port: &str,
    folder: &str,
    in_flight: &str,
    pushes: &str,
) -> Result<bool, Failure> {
    let known = Known::read(Path::new(folder))?;
    let config = Config::new("localhost", port.parse()?)
        .roots(Roots::Only(vec![known.root]))
        .with(|config| config.max_connections = 1);
    let (in_flight, pushes): (usize, usize) = (in_flight.parse()?, pushes.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (client, driver) = Client::new(config, known.certificate)?;
        tokio::spawn(driver.run());
        let work = Rc::new(Work {
            client,
            magic: known.magic,
            tokens: known.tokens,
            pushes,
            tally: Tally::default(),
        });
        // The connection stands before the time runs.
        work.push(0).await?;
        let began = Instant::now();
        let workers = LocalSet::new();
        for _ in 0..in_flight {
            workers.spawn_local(Rc::clone(&work).run());
        }
        workers.await;
        let seconds = began.elapsed().as_secs_f64();
        let (delivered, failed) = (work.tally.delivered.get(), work.tally.failed.get());
        println!("{delivered} {failed} {seconds:.9}");
        Ok(true)
    })
}

/// What the folder tells: whom to trust, who we are, and whom to push to.
struct Known {
    root: Certificate,
    certificate: PushCertificate,
    magic: PushMagic,
    tokens: Vec<PushToken>,
}

impl Known {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let read = |name: &str| fs::read(folder.join(name));
        let identity = Identity::from_pem(&read("push.pem")?, &read("push.key")?, None)?;
        let pushes = String::from_utf8(read("pushes")?)?;
        let mut lines = pushes.lines().skip(1);
        let magic = PushMagic::new(lines.next().ok_or("no magic")?);
        let tokens = lines.map(|token| Ok(PushToken::new(hex::decode(token)?)));
        Ok(Self {
            root: Certificate::from_pem(&read("root.pem")?)?,
            certificate: PushCertificate::new(identity)?,
            magic,
            tokens: tokens.collect::<Result<_, Failure>>()?,
        })
    }
}

struct Work {
    client: Client,
    magic: PushMagic,
    tokens: Vec<PushToken>,
    pushes: usize,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    next: Cell<usize>,
    delivered: Cell<usize>,
    failed: Cell<usize>,
}

impl Work {
    /// Pushes one after the other until all are sent.
    async fn run(self: Rc<Self>) {
        let Tally {
            next,
            delivered,
            failed,
        } = &self.tally;
        loop {
            let number = next.replace(next.get() + 1);
            if number >= self.pushes {
                return;
            }
            match self.push(number).await {
                Ok(()) => delivered.set(delivered.get() + 1),
                Err(failure) => {
                    if failed.replace(failed.get() + 1) == 0 {
                        eprintln!("ours: first failure: {failure}");
                    }
                }
            }
        }
    }

    async fn push(&self, number: usize) -> Result<(), Failure> {
        let token = self.tokens[number % self.tokens.len()].clone();
        let push = Push::new(token, self.magic.clone());
        match self.client.push(&push).await? {
            Outcome::Delivered { .. } => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }
}
