//! Devices with identities of one authority, and everything that they will say, signed.

use std::{num::NonZero, thread};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, KeySpec, KeyUsage, Name, PrivateKey,
    cms::SignedDataBuilder, oid,
};
use mdm_protocol::signature::encode_header;

use crate::Failure;

/// How many keys take turns, since one takes long to make; each device has a certificate of its own.
const KEYS: usize = 8;

const CHECK_IN: &str = "application/x-apple-aspen-mdm-checkin";
const REPORT: &str = "application/x-apple-aspen-mdm; charset=UTF-8";

/// What every command asks. Its result tells nothing that a server takes further.
pub(crate) const REQUEST_TYPE: &str = "ProfileList";

/// The authority, and the identities that it issued.
pub(crate) struct Devices {
    pub(crate) authority: Certificate,
    keys: Vec<PrivateKey>,
    certificates: Vec<Certificate>,
    now: DateTime<Utc>,
}

impl Devices {
    pub(crate) fn new(count: usize) -> Result<Self, Failure> {
        let now = Utc::now();
        let key = PrivateKey::generate(KeySpec::Rsa2048)?;
        let name = Name::from_common_name("Device CA");
        let authority = CertificateBuilder::new(name, key.public_key())
            .validity(now - TimeDelta::days(1), now + TimeDelta::days(3650))
            .ca(Some(0))
            .key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
            .self_signed(&key)?;
        let keys = (0..KEYS).map(|_| PrivateKey::generate(KeySpec::Rsa2048));
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        let certificates = spread(count, |device| {
            let public = keys[device % KEYS].public_key();
            let builder = CertificateBuilder::new(Name::from_common_name(&udid(device)), public)
                .validity(now - TimeDelta::days(1), now + TimeDelta::days(365))
                .key_usage(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT)
                // nanomdm asks for it.
                .extended_key_usage(&[oid::CLIENT_AUTH]);
            Ok(builder.sign(&authority, &key)?)
        })?;
        Ok(Self {
            authority,
            keys,
            certificates,
            now,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.certificates.len()
    }

    /// `Authenticate` and `TokenUpdate` of every device.
    pub(crate) fn enrolments(&self) -> Result<Vec<[Vec<u8>; 2]>, Failure> {
        spread(self.len(), |device| {
            let authenticate = self.request(device, CHECK_IN, &authenticate(device))?;
            Ok([
                authenticate,
                self.request(device, CHECK_IN, &token_update(device))?,
            ])
        })
    }

    /// `Idle` of the first so many devices.
    pub(crate) fn idles(&self, devices: usize) -> Result<Vec<Vec<u8>>, Failure> {
        spread(devices, |device| {
            let idle = report(device, "<key>Status</key><string>Idle</string>");
            self.request(device, REPORT, &idle)
        })
    }

    /// For each of the first so many devices the results of its first so many commands.
    pub(crate) fn results(
        &self,
        devices: usize,
        each: usize,
    ) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        spread(devices, |device| {
            let results = (0..each).map(|n| self.request(device, REPORT, &result(device, n)));
            results.collect()
        })
    }

    /// A request as it goes over the wire.
    fn request(&self, device: usize, content_type: &str, body: &str) -> Result<Vec<u8>, Failure> {
        let cms = SignedDataBuilder::new(body.as_bytes())
            .detached()
            .signer(&self.certificates[device], DigestAlgorithm::Sha256)
            .signing_time(self.now)
            .sign(&self.keys[device % KEYS])?;
        let (signature, length) = (encode_header(&cms), body.len());
        let request = format!(
            "PUT /mdm HTTP/1.1\r\nHost: mdm.example.com\r\nUser-Agent: MDM/1.0\r\nAccept: */*\r\n\
             Content-Type: {content_type}\r\nMdm-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Ok(request.into_bytes())
    }
}

/// Makes one thing for each number below `count`, on all processors.
fn spread<T: Send>(
    count: usize,
    make: impl Fn(usize) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = count.div_ceil(threads).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..count)
            .step_by(share)
            .map(|first| {
                let make = &make;
                scope.spawn(move || {
                    let last = (first + share).min(count);
                    (first..last).map(make).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(count);
        for worker in workers {
            all.extend(worker.join().map_err(|_| "a thread panicked")??);
        }
        Ok(all)
    })
}

pub(crate) fn udid(device: usize) -> String {
    format!("00008030-{device:016X}")
}

/// The name of a device's command `n`.
pub(crate) fn uuid(device: usize, n: usize) -> String {
    format!("{device:08X}-{n:04X}-4000-8000-0123456789AB")
}

/// A command as the device gets it.
pub(crate) fn command(uuid: &str) -> String {
    plist(&format!(
        "<key>Command</key><dict><key>ManagedOnly</key><true/>\
         <key>RequestType</key><string>{REQUEST_TYPE}</string></dict>\
         <key>CommandUUID</key><string>{uuid}</string>"
    ))
}

fn result(device: usize, n: usize) -> String {
    let profile = |name: &str| {
        format!(
            "<dict><key>HasRemovalPasscode</key><false/><key>IsEncrypted</key><false/><key>IsManaged</key><true/>\
             <key>PayloadContent</key><array><dict><key>PayloadDescription</key><string>Configures {name}</string>\
             <key>PayloadDisplayName</key><string>{name}</string>\
             <key>PayloadIdentifier</key><string>com.example.{name}.payload</string>\
             <key>PayloadType</key><string>com.apple.{name}</string><key>PayloadVersion</key><integer>1</integer></dict></array>\
             <key>PayloadDisplayName</key><string>{name}</string>\
             <key>PayloadIdentifier</key><string>com.example.{name}</string>\
             <key>PayloadOrganization</key><string>Example</string><key>PayloadRemovalDisallowed</key><true/>\
             <key>PayloadUUID</key><string>5F4DCC3B-5AA7-4000-8000-0123456789AB</string>\
             <key>PayloadVersion</key><integer>1</integer></dict>"
        )
    };
    let (uuid, wifi, passcode) = (uuid(device, n), profile("wifi"), profile("passcode"));
    report(
        device,
        &format!(
            "<key>CommandUUID</key><string>{uuid}</string>\
             <key>ProfileList</key><array>{wifi}{passcode}</array>\
             <key>Status</key><string>Acknowledged</string>"
        ),
    )
}

fn report(device: usize, keys: &str) -> String {
    let udid = udid(device);
    plist(&format!("{keys}<key>UDID</key><string>{udid}</string>"))
}

fn authenticate(device: usize) -> String {
    report(
        device,
        &format!(
            "<key>BuildVersion</key><string>23A341</string><key>DeviceName</key><string>iPhone</string>\
             <key>MessageType</key><string>Authenticate</string><key>Model</key><string>MTP03</string>\
             <key>ModelName</key><string>iPhone</string><key>OSVersion</key><string>26.0</string>\
             <key>ProductName</key><string>iPhone15,4</string>\
             <key>SerialNumber</key><string>C{device:011}</string>\
             <key>Topic</key><string>com.apple.mgmt.External.bench</string>"
        ),
    )
}

fn token_update(device: usize) -> String {
    let token = encode_header(format!("{device:032}").as_bytes());
    report(
        device,
        &format!(
            "<key>AwaitingConfiguration</key><false/><key>MessageType</key><string>TokenUpdate</string>\
             <key>NotOnConsole</key><false/><key>PushMagic</key><string>{}</string>\
             <key>Token</key><data>{token}</data><key>Topic</key><string>com.apple.mgmt.External.bench</string>",
            uuid(device, 0)
        ),
    )
}

fn plist(keys: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>{keys}</dict></plist>\n"
    )
}
