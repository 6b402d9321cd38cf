//! How a replica's process is kept apart from the machine without a container engine: the lower rungs of the ladder,
//! and which of them works here.
//!
//! 1. `bwrap`: the image as root folder over a private writable layer, own /tmp, /proc, /dev and process ids.
//! 2. `chroot`: the image as root folder through `unshare --root`, own process ids; needs root.
//! 3. `plain`: an ordinary process in the unpacked folder, its absolute paths rewritten as well as can be.
//!
//! Which rung works is found out at the start by running a program on it, never guessed. No rung has a network of
//! its own: replicas listen on the machine's loopback, each on a port of its own.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::image::{Image, remove_tree, resolve_in_root};
use super::trust::{self, Trust};
use super::volumes::Mounted;

/// How replicas are kept apart from the machine and from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Bubblewrap.
    Bwrap,
    /// A root folder of its own, nothing more.
    Chroot,
    /// None.
    Plain,
}

impl Isolation {
    /// One line for `local status`.
    pub fn describe(self) -> &'static str {
        match self {
            Isolation::Bwrap => "bwrap (own files and processes; the machine's network)",
            Isolation::Chroot => "chroot (own files and process ids; the machine's network)",
            Isolation::Plain => "none: deployed code runs as an ordinary process of yours",
        }
    }
}

/// How the private writable layer over an image is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// A mount of the kernel's, in a mount namespace that ends with the replica.
    Overlay,
    /// A copy of the whole image: slower, always possible.
    Copy,
}

/// The rung that works here.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    pub isolation: Isolation,
    layer: Layer,
    /// Own process ids and a /proc that shows only them.
    pids: bool,
    root: bool,
    /// Replicas have ports of their own.
    pub own_ports: bool,
}

/// One process to start.
pub(crate) struct Launch<'a> {
    pub image: &'a Image,
    /// Private to the process: writable layer and generated files. Removed with [`remove_tree`] after its end.
    pub scratch: &'a Path,
    pub command: Vec<String>,
    pub env: Vec<(String, String)>,
    pub hosts: String,
    pub hostname: String,
    /// The certificate of an authority to trust beside those of the image; empty: none.
    pub authority: &'a str,
    /// Folders of the machine in it.
    pub mounts: &'a [Mounted],
}

/// Programs that only hold a replica: signals are for what they started.
pub(crate) const WRAPPERS: [&str; 3] = ["bwrap", "unshare", "setpriv"];

impl Sandbox {
    /// Finds the highest rung that works, by trying each in `folder`, which is made and removed again.
    pub fn find(folder: &Path) -> Sandbox {
        let root = nix::unistd::geteuid().is_root();
        let own_ports = super::sockets::works();
        let rungs = [
            (Isolation::Bwrap, Layer::Overlay, true),
            (Isolation::Bwrap, Layer::Copy, true),
            (Isolation::Bwrap, Layer::Overlay, false),
            (Isolation::Bwrap, Layer::Copy, false),
            (Isolation::Chroot, Layer::Overlay, true),
            (Isolation::Chroot, Layer::Copy, true),
        ];
        for (isolation, layer, pids) in rungs {
            let sandbox = Sandbox { isolation, layer, pids, root, own_ports };
            match sandbox.works(folder) {
                Ok(()) => return sandbox,
                Err(why) => {
                    tracing::debug!(?isolation, ?layer, pids, %why, "rung of the sandbox does not work")
                }
            }
        }
        Sandbox { isolation: Isolation::Plain, layer: Layer::Copy, pids: false, root, own_ports }
    }

    /// The same where replicas cannot have ports of their own, for tests.
    #[cfg(test)]
    pub fn with_the_machines_ports(self) -> Sandbox {
        Sandbox { own_ports: false, ..self }
    }

    /// One particular rung, for tests of each.
    #[cfg(test)]
    pub fn forced(isolation: Isolation) -> Sandbox {
        let layer = if isolation == Isolation::Plain { Layer::Copy } else { Layer::Overlay };
        let pids = isolation != Isolation::Plain;
        Sandbox { isolation, layer, pids, root: nix::unistd::geteuid().is_root(), own_ports: false }
    }

    /// Runs `true`, copied with its libraries into a root folder made for the trial.
    pub fn works(&self, folder: &Path) -> Result<(), String> {
        if self.isolation == Isolation::Chroot && !self.root {
            return Err("needs root".into());
        }
        let trial = folder.join("trial");
        remove_tree(&trial);
        let outcome = self.try_in(&trial);
        remove_tree(&trial);
        outcome
    }

    fn try_in(&self, trial: &Path) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        let rootfs = trial.join("rootfs");
        for folder in ["proc", "dev", "tmp", "etc"] {
            fs::create_dir_all(rootfs.join(folder)).map_err(text)?;
        }
        for file in ["etc/hosts", "etc/resolv.conf", "etc/hostname"] {
            fs::write(rootfs.join(file), "").map_err(text)?;
        }
        copy_program(Path::new("/bin/true"), &rootfs).map_err(text)?;
        let image = Image {
            digest: String::new(),
            root: rootfs,
            config: super::image::Config { workdir: "/".into(), ..Default::default() },
        };
        let scratch = trial.join("scratch");
        fs::create_dir_all(&scratch).map_err(text)?;
        let launch = Launch {
            image: &image,
            scratch: &scratch,
            command: vec!["/bin/true".into()],
            env: Vec::new(),
            hosts: String::new(),
            hostname: "trial".into(),
            authority: "",
            mounts: &[],
        };
        let output = self.command(&launch).map_err(text)?.stdin(Stdio::null()).output().map_err(text)?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
        }
    }

    /// The command that starts `launch`. Writes its generated files and, without overlays, its copy of the image.
    pub fn command(&self, launch: &Launch<'_>) -> io::Result<Command> {
        fs::create_dir_all(launch.scratch)?;
        if launch.command.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no command specified: neither the image nor the container names one",
            ));
        }
        let user = find_user(&launch.image.root, &launch.image.config.user)?;
        let trust = Trust::of(&launch.image.root, launch.authority)?;
        let mut command = match self.isolation {
            Isolation::Bwrap => self.bwrap(launch, &user, &trust)?,
            Isolation::Chroot => self.chroot(launch, &user, &trust)?,
            Isolation::Plain => self.plain(launch, &trust)?,
        };
        command.env_clear();
        command.envs(launch.env.iter().map(|(name, value)| (name, value)));
        if !launch.env.iter().any(|(name, _)| name == "PATH") {
            command.env("PATH", DEFAULT_PATH);
        }
        if !launch.env.iter().any(|(name, _)| name == "HOME") {
            command.env("HOME", &user.home);
        }
        command.env("HOSTNAME", &launch.hostname);
        if let Some(path) = self.bundle(launch, &trust) {
            command.env(trust::VARIABLE, path);
        }
        Ok(command)
    }

    /// Where the `/etc/hosts` of a process with this scratch folder is on the machine; `None`: it has the machine's own.
    pub fn hosts_file(&self, scratch: &Path) -> Option<PathBuf> {
        match (self.isolation, self.layer) {
            (Isolation::Plain, _) => None,
            (_, Layer::Overlay) => Some(scratch.join("upper/etc/hosts")),
            (_, Layer::Copy) => Some(scratch.join("root/etc/hosts")),
        }
    }

    /// The bundle of authorities that the program has to be told of, if any.
    fn bundle(&self, launch: &Launch<'_>, trust: &Trust) -> Option<PathBuf> {
        let path = trust.path()?;
        let told = launch.env.iter().find(|(name, _)| name == trust::VARIABLE).map(|(_, told)| told);
        match self.isolation {
            // The machine's own is at the usual place.
            Isolation::Plain => told
                .is_none_or(|told| Path::new(told) == path)
                .then(|| launch.scratch.join("root").join(path.strip_prefix("/").unwrap_or(&path))),
            _ => (trust.made && told.is_none()).then_some(path),
        }
    }

    fn bwrap(&self, launch: &Launch<'_>, user: &User, trust: &Trust) -> io::Result<Command> {
        let (mut args, merged) = self.with_layer(launch, user, trust)?;
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        if self.root && user.uid != 0 {
            args.extend([tool("setpriv")]);
            args.extend(words(&["--reuid", &uid, "--regid", &gid, "--clear-groups"]));
        }
        args.push(tool("bwrap"));
        args.push("--die-with-parent".into());
        if self.pids {
            args.push("--unshare-pid".into());
        }
        args.extend(words(&["--unshare-ipc", "--unshare-uts", "--hostname", &launch.hostname]));
        if self.root && user.uid == 0 {
            args.extend(words(&["--cap-drop", "ALL"]));
            for capability in CAPABILITIES {
                args.extend(words(&["--cap-add", capability]));
            }
        } else {
            args.extend(words(&["--unshare-user", "--uid", &uid, "--gid", &gid]));
        }
        args.push("--bind".into());
        args.push(merged.into());
        args.push("/".into());
        args.extend(words(&["--dev", "/dev"]));
        // Unless a volume is there: it would be covered.
        if !launch.mounts.iter().any(|mounted| Path::new(&mounted.path).starts_with("/tmp")) {
            args.extend(words(&["--perms", "1777", "--tmpfs", "/tmp"]));
        }
        if self.layer == Layer::Copy && !self.root {
            for mounted in launch.mounts {
                args.push(if mounted.read_only { "--ro-bind" } else { "--bind" }.into());
                args.extend([mounted.source.clone().into(), OsString::from(&mounted.path)]);
            }
        }
        args.extend(words(if self.pids { &["--proc", "/proc"] } else { &["--ro-bind", "/proc", "/proc"] }));
        args.extend(words(&["--chdir", &launch.image.config.workdir, "--"]));
        args.extend(launch.command.iter().map(OsString::from));
        Ok(command_of(args))
    }

    fn chroot(&self, launch: &Launch<'_>, user: &User, trust: &Trust) -> io::Result<Command> {
        let (layered, merged) = self.with_layer(launch, user, trust)?;
        let mut args = vec![tool("setpriv")];
        args.extend(words(&["--pdeathsig", "KILL"]));
        args.extend(layered);
        args.push(tool("unshare"));
        args.extend(words(&[
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--",
        ]));
        args.push(tool("sh"));
        args.push("-c".into());
        // /proc and /dev are mounted by a shell, which has namespaces of its own by then.
        args.push(
            format!(
                r#"root=$1; uid=$2; gid=$3; dir=$4; shift 4
{mount} -t proc proc "$root/proc" && {mount} --rbind /dev "$root/dev" || exit 125
exec {setpriv} --pdeathsig KILL {unshare} --root="$root" --wd="$dir" --setgid "$gid" --setuid "$uid" -- "$@""#,
                mount = tool("mount").display(),
                setpriv = tool("setpriv").display(),
                unshare = tool("unshare").display(),
            )
            .into(),
        );
        args.push("holder".into());
        args.push(merged.into());
        args.extend(words(&[&user.uid.to_string(), &user.gid.to_string(), &launch.image.config.workdir]));
        args.extend(launch.command.iter().map(OsString::from));
        Ok(command_of(args))
    }

    fn plain(&self, launch: &Launch<'_>, trust: &Trust) -> io::Result<Command> {
        let root = copy_image(launch)?;
        trust.write(&root)?;
        let rewrite = |word: &str| -> OsString {
            if word.starts_with('/')
                && let Ok(path) = resolve_in_root(&root, Path::new(word))
                && path.exists()
            {
                return path.into();
            }
            word.into()
        };
        let mut words = launch.command.iter();
        let first = words.next().map(String::as_str).unwrap_or_default();
        // A bare name is looked up in the image first, as its own PATH would have it.
        let program = if first.contains('/') {
            rewrite(first)
        } else {
            let path =
                launch.env.iter().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, path)| path);
            path.split(':')
                .filter_map(|folder| resolve_in_root(&root, &Path::new(folder).join(first)).ok())
                .find(|path| path.is_file())
                .map_or_else(|| first.into(), PathBuf::into_os_string)
        };
        // `setpriv` ends the process with this one; without it, the next start finds and ends it.
        let mut args: Vec<OsString> = match which("setpriv") {
            Some(setpriv) => {
                [vec![setpriv.into_os_string()], self::words(&["--pdeathsig", "KILL", "--"])].concat()
            }
            None => Vec::new(),
        };
        args.push(program);
        args.extend(words.map(|word| rewrite(word)));
        let mut command = command_of(args);
        for mounted in launch.mounts {
            let place = root.join(below_root(&launch.image.root, &mounted.path)?);
            remove_tree(&place);
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder)?;
            }
            std::os::unix::fs::symlink(&mounted.source, &place)?;
        }
        let workdir = resolve_in_root(&root, Path::new(&launch.image.config.workdir))?;
        fs::create_dir_all(&workdir)?;
        command.current_dir(workdir);
        Ok(command)
    }

    /// What to put before a command, and where its root folder then is.
    fn with_layer(
        &self,
        launch: &Launch<'_>,
        user: &User,
        trust: &Trust,
    ) -> io::Result<(Vec<OsString>, PathBuf)> {
        let mount = tool("mount");
        let mount = mount.display();
        let private = |mut script: String, operands: [&Path; 2], layer: &Path| -> io::Result<Vec<OsString>> {
            let mut operands: Vec<OsString> = operands.map(OsString::from).into();
            for mounted in launch.mounts {
                let below = below_root(&launch.image.root, &mounted.path)?;
                fs::create_dir_all(layer.join(&below))?;
                let way = if mounted.read_only { "bind,ro" } else { "bind" };
                let place = operands.len() + 1;
                // From the working folder: the way from the root may just have been covered.
                script.push_str(&format!(r#" && {mount} -c -o {way} "${{{place}}}" "${{{}}}""#, place + 1));
                operands.extend([
                    from(launch.scratch, &mounted.source).into(),
                    Path::new("/tmp").join(below).into(),
                ]);
            }
            let mut args = vec![tool("unshare")];
            args.extend(words(&["--mount", "--propagation", "private"]));
            if !self.root {
                args.extend(words(&["--user", "--map-root-user"]));
            }
            args.push("--".into());
            args.push(tool("sh"));
            args.push("-c".into());
            args.push(format!("{script} && shift {} && cd / && exec \"$@\"", operands.len()).into());
            args.push("holder".into());
            args.extend(operands);
            Ok(args)
        };
        // Both are mounted over /tmp of a mount namespace of its own: a place that every user can reach by name, which
        // the state folder is not. The replica gets a /tmp of its own anyway.
        match self.layer {
            Layer::Copy => {
                let root = copy_image(launch)?;
                make_workdir(&launch.image.root, &root, &launch.image.config.workdir, user)?;
                generate_files(launch, &root)?;
                trust.write(&root)?;
                if !self.root {
                    return Ok((Vec::new(), root));
                }
                let script = format!(r#"cd "$2" && {mount} --bind "$1" /tmp"#);
                Ok((private(script, [&root, launch.scratch], &root)?, PathBuf::from("/tmp")))
            }
            Layer::Overlay => {
                let (upper, work) = (launch.scratch.join("upper"), launch.scratch.join("work"));
                fs::create_dir_all(&upper)?;
                fs::create_dir_all(&work)?;
                // The layer's own root decides the mode of `/`.
                fs::set_permissions(&upper, fs::Permissions::from_mode(0o755))?;
                make_workdir(&launch.image.root, &upper, &launch.image.config.workdir, user)?;
                generate_files(launch, &upper)?;
                trust.write(&upper)?;
                let extra = if self.root { "" } else { ",userxattr" };
                let script = format!(
                    r#"cd "$1" && {mount} -t overlay overlay -o "lowerdir=$2,upperdir=upper,workdir=work{extra}" /tmp"#
                );
                Ok((private(script, [launch.scratch, &launch.image.root], &upper)?, PathBuf::from("/tmp")))
            }
        }
    }
}

/// Docker's list of what root in a container may, without raw sockets and device nodes.
const CAPABILITIES: [&str; 11] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn command_of(args: Vec<OsString>) -> Command {
    let mut args = args.into_iter();
    let mut command = Command::new(args.next().unwrap_or_default());
    command.args(args);
    command
}

/// The absolute path of a program of this machine: the replica's own PATH holds for wrappers too, and must not
/// choose them.
fn tool(name: &str) -> OsString {
    which(name).map_or_else(|| name.into(), PathBuf::into_os_string)
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.into());
    path.split(':')
        .chain(DEFAULT_PATH.split(':'))
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.is_file())
}

/// Writes the replica's name resolution into its private layer.
fn generate_files(launch: &Launch<'_>, layer: &Path) -> io::Result<()> {
    let etc = layer.join("etc");
    fs::create_dir_all(&etc)?;
    let resolvers = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let hostname = format!("{}\n", launch.hostname);
    for (name, text) in [("hosts", &launch.hosts), ("hostname", &hostname), ("resolv.conf", &resolvers)] {
        let path = etc.join(name);
        remove_tree(&path);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// The way from a folder to another path.
fn from(folder: &Path, to: &Path) -> PathBuf {
    let common = folder.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| "..");
    up.map(PathBuf::from)
        .chain(to.components().skip(common).map(|part| PathBuf::from(part.as_os_str())))
        .collect()
}

/// A path of an image below its root, with the image's own links followed.
fn below_root(image: &Path, path: &str) -> io::Result<PathBuf> {
    let there = resolve_in_root(image, Path::new(path))?;
    Ok(there.strip_prefix(image).unwrap_or(Path::new("")).to_path_buf())
}

/// Docker makes the working folder when the image lacks it.
fn make_workdir(image: &Path, layer: &Path, workdir: &str, user: &User) -> io::Result<()> {
    let there = resolve_in_root(image, Path::new(workdir))?;
    if there.is_dir() {
        return Ok(());
    }
    let relative = there.strip_prefix(image).unwrap_or(Path::new("")).to_path_buf();
    let path = layer.join(relative);
    fs::create_dir_all(&path)?;
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}

/// A copy of the image for one replica; links within it shared where the file system can.
fn copy_image(launch: &Launch<'_>) -> io::Result<PathBuf> {
    let root = launch.scratch.join("root");
    remove_tree(&root);
    let output = Command::new("cp")
        .args(["-a", "--reflink=auto", "--"])
        .arg(&launch.image.root)
        .arg(&root)
        .output()?;
    if output.status.success() {
        return Ok(root);
    }
    Err(io::Error::other(format!(
        "cannot copy the image: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}

/// Copies a program of this machine and the libraries it is linked with into `root`.
pub(crate) fn copy_program(program: &Path, root: &Path) -> io::Result<()> {
    let output = Command::new("ldd").arg(program).output();
    let listing =
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let libraries = listing.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new);
    for file in libraries.chain([program]) {
        let target = root.join(file.strip_prefix("/").unwrap_or(file));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(file, target)?;
    }
    Ok(())
}

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
    home: String,
}

/// Finds `user[:group]` of an image in its own passwd and group files, as Docker does.
fn find_user(root: &Path, wanted: &str) -> io::Result<User> {
    let read =
        |name: &str| resolve_in_root(root, Path::new(name)).and_then(fs::read_to_string).unwrap_or_default();
    let passwd = read("etc/passwd");
    let (name, group) = match wanted.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (wanted, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let line = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name) || fields.get(2) == Some(&name));
    let field = |at: usize| line.as_ref().and_then(|fields| fields.get(at).copied());
    let unknown = |what: &str| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("unable to find {what}: no matching entries in the image's passwd or group file"),
        )
    };
    let uid = match field(2).unwrap_or(name).parse() {
        Ok(uid) => uid,
        Err(_) => return Err(unknown(&format!("user {name}"))),
    };
    let gid = match group {
        None => field(3).and_then(|gid| gid.parse().ok()).unwrap_or(0),
        Some(group) => match group.parse() {
            Ok(gid) => gid,
            Err(_) => read("etc/group")
                .lines()
                .map(|line| line.split(':').collect::<Vec<_>>())
                .find(|fields| fields.first() == Some(&group))
                .and_then(|fields| fields.get(2)?.parse().ok())
                .ok_or_else(|| unknown(&format!("group {group}")))?,
        },
    };
    let home =
        field(5).filter(|home| !home.is_empty()).unwrap_or(if uid == 0 { "/root" } else { "/" }).to_owned();
    Ok(User { uid, gid, home })
}
