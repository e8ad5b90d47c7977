//! Where PostgreSQL's programs are, and who runs them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{Error, give, owner};

#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// User and group of the server, where we are root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// The newest that are installed as Debian does, or those in `PATH`.
    pub(crate) fn find() -> Result<Option<Self>, Error> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let mut versions: Vec<_> = versions
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
                Some((version, path.join("bin")))
            })
            .collect();
        versions.sort();
        let debian = versions.into_iter().rev().map(|(_, path)| path);
        let path = env::var_os("PATH").unwrap_or_default();
        let path: Vec<_> = env::split_paths(&path).collect();
        let whole = |path: &PathBuf| {
            let mut programs = ["initdb", "pg_ctl", "psql"].into_iter();
            programs.all(|program| path.join(program).exists())
        };
        let Some(folder) = debian.chain(path).find(whole) else {
            return Ok(None);
        };
        let root = owner(Path::new("/proc/self")).map_err(Error::io("/proc/self"))? == 0;
        let user = if root { Some(debians_user()?) } else { None };
        Ok(Some(Self { folder, user }))
    }

    /// Makes a file or a folder the server's.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        match self.user {
            Some((user, group)) => give(path, user, group),
            None => Ok(()),
        }
    }

    /// A program, run by the server's user in this folder.
    pub(crate) fn command(&self, program: &str, folder: &Path) -> Command {
        let path = self.folder.join(program);
        let mut command = match self.user {
            None => Command::new(path),
            Some(_) => {
                let mut command = Command::new("setpriv");
                command.args(self.as_user()).arg(path);
                command
            }
        };
        command.current_dir(folder);
        command
    }

    /// Stops the server and removes its folder once its standard input ends, which is when we do.
    pub(crate) fn guard(&self, folder: &Path) -> Result<Child, Error> {
        let script = "trap '' INT TERM HUP; cat; folder=$1; shift; \"$@\"; rm -rf \"$folder\"";
        let mut guard = Command::new("sh");
        guard.args(["-c", script, "guard"]).arg(folder);
        if self.user.is_some() {
            guard.arg("setpriv").args(self.as_user());
        }
        guard.arg(self.folder.join("pg_ctl")).arg("--pgdata");
        guard.arg(folder.join("data"));
        guard.args(["--mode=immediate", "stop"]);
        guard.stdin(Stdio::piped()).stdout(Stdio::null());
        guard.stderr(Stdio::null()).spawn().map_err(Error::io("sh"))
    }

    fn as_user(&self) -> Vec<String> {
        let Some((user, group)) = self.user else {
            return Vec::new();
        };
        let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
        vec![user, group, "--clear-groups".to_owned()]
    }
}

/// User and group that Debian runs it as.
fn debians_user() -> Result<(u32, u32), Error> {
    let users = fs::read_to_string("/etc/passwd").map_err(Error::io("/etc/passwd"))?;
    let find = |name: &str| {
        let user = users.lines().find(|line| line.starts_with(name))?;
        let mut columns = user.split(':').skip(2);
        Some((columns.next()?.parse().ok()?, columns.next()?.parse().ok()?))
    };
    let user = find("postgres:").or_else(|| find("nobody:"));
    user.ok_or_else(|| Error::Failed {
        program: "setpriv",
        said: "there is neither a user postgres nor nobody".to_owned(),
    })
}
