//! nanomdm as it comes: its program, its schema, its queue.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    Failure,
    devices::{REQUEST_TYPE, command, udid, uuid},
};

/// Where `cargo xtask bench` builds it, seen from the workspace's folder.
const PROGRAM: &str = ".peers/go/nanomdm";

/// The module that it is the program of, and the schema in it.
const MODULE: [&str; 2] = ["benches/peers/go/nanomdm", "github.com/micromdm/nanomdm"];
const SCHEMA: &str = "storage/pgsql/schema.sql";

/// Statements that hold so many rows each.
const ROWS: usize = 500;

/// The schema that its module carries.
pub(crate) fn schema() -> Result<String, Failure> {
    let [folder, module] = MODULE;
    let mut command = Command::new("go");
    command.args(["list", "-m", "-f", "{{.Dir}}", module]);
    let output = command.current_dir(folder).output()?;
    let path = String::from_utf8(output.stdout)?;
    Ok(fs::read_to_string(Path::new(path.trim()).join(SCHEMA))?)
}

/// What its own enqueueing writes, for so many devices and so many commands each, in few statements.
pub(crate) fn queue(devices: usize, each: usize) -> Result<String, Failure> {
    let rows: Vec<_> = (0..devices)
        .flat_map(|device| (0..each).map(move |n| (device, n)))
        .collect();
    let mut script = String::new();
    for rows in rows.chunks(ROWS) {
        let (mut commands, mut places) = (Vec::new(), Vec::new());
        for (device, n) in rows {
            let (udid, uuid) = (udid(*device), uuid(*device, *n));
            let body = command(&uuid);
            commands.push(format!("('{uuid}', '{REQUEST_TYPE}', '{body}')"));
            // It goes by time alone.
            let at = format!("timestamp '2026-01-01' + interval '{n} s'");
            places.push(format!("('{udid}', '{uuid}', {at})"));
        }
        writeln!(
            script,
            "INSERT INTO commands (command_uuid, request_type, command) VALUES {};
             INSERT INTO enrollment_queue (id, command_uuid, created_at) VALUES {};",
            commands.join(","),
            places.join(",")
        )?;
    }
    Ok(script)
}

/// Starts it; its log goes nowhere.
pub(crate) fn start(database: &str, ca: &Path) -> Result<(Child, SocketAddr), Failure> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut process = Command::new(PROGRAM)
        .arg("-listen")
        .arg(address.to_string())
        .args(["-storage", "pgsql", "-storage-dsn"])
        .arg(format!("{database} sslmode=disable"))
        .arg("-ca")
        .arg(ca)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{PROGRAM}: {error}"))?;
    while TcpStream::connect(address).is_err() {
        if let Some(status) = process.try_wait()? {
            return Err(format!("nanomdm ended: {status}").into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok((process, address))
}
