//! A replica's own ports, on a machine whose network all replicas share.
//!
//! Two revisions that listen on port 8080 would meet here, as would two apps. So a replica's `bind` and `connect` are
//! looked at as they are made (seccomp's user notifications): the port that its app has as target is another one on
//! the machine, and so is any port that somebody else has already. The program sees success; what is in the replica
//! finds it at `localhost` under the port that it asked for.
//!
//! ```text
//!  program ── bind(0.0.0.0:8080) ──▶ kernel ── notification ──▶ thread here
//!                                                bind(0.0.0.0:40123) on the program's own socket ◀┘
//! ```
//! Where the kernel or a sandbox around us does not allow this, programs have the machine's ports, first come first
//! served.

// Filters of system calls and descriptors of other processes have no safe interface; each block says what holds.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::libc;

/// Where the ports that a replica's programs ask for are on the machine. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnPorts(Arc<Mutex<BTreeMap<u16, u16>>>);

impl OwnPorts {
    /// With one port settled from the start: what is asked for, and where it is.
    pub fn new(settled: Option<(u16, u16)>) -> OwnPorts {
        OwnPorts(Arc::new(Mutex::new(settled.into_iter().collect())))
    }

    /// Where a port is on the machine.
    pub fn place(&self, port: u16) -> u16 {
        self.map().get(&port).copied().unwrap_or(port)
    }

    /// Which port the replica's programs know this one by.
    pub fn asked(&self, place: u16) -> u16 {
        self.map().iter().find(|(_, known)| **known == place).map_or(place, |(port, _)| *port)
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<u16, u16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process to be whose sockets will be looked at.
#[derive(Debug)]
pub(crate) struct Watch {
    receiver: UnixStream,
    ports: OwnPorts,
}

/// Lets the process that `command` will start tell of its sockets; [`Watch::begin`] is called once it runs.
pub(crate) fn prepare(command: &mut Command, ports: OwnPorts) -> io::Result<Watch> {
    let (receiver, sender) = UnixStream::pair()?;
    receiver.set_nonblocking(true)?;
    let before_exec = move || {
        install(sender.as_raw_fd());
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls only, and touches no memory but its own stack.
    unsafe { command.pre_exec(before_exec) };
    Ok(Watch { receiver, ports })
}

impl Watch {
    /// Looks at the sockets of the process from here on, until all that it started has ended. False when that is not
    /// possible here.
    pub fn begin(self) -> bool {
        let Some(listener) = receive(&self.receiver) else { return false };
        let ports = self.ports;
        std::thread::Builder::new().name("ports".into()).spawn(move || serve(&listener, &ports)).is_ok()
    }
}

/// Whether sockets can be looked at here.
pub(crate) fn works() -> bool {
    let mut command = Command::new("true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(watch) = prepare(&mut command, OwnPorts::default()) else { return false };
    let ended = command.status().is_ok_and(|status| status.success());
    ended && watch.begin()
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;
/// On others nothing matches, and all goes on as it would.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: u32 = 0;

/// In the new process, before it becomes the program: asks the kernel to tell of `bind` and `connect`, and hands the
/// end that hears of them over.
fn install(sender: RawFd) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        // `seccomp_data.arch`, then `.nr`.
        step(LOAD, 0, 0, 4),
        step(EQUAL, 0, 4, ARCHITECTURE),
        step(LOAD, 0, 0, 0),
        step(EQUAL, 1, 0, libc::SYS_bind as u32),
        step(EQUAL, 0, 1, libc::SYS_connect as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    let set = || {
        // SAFETY: the program outlives the call, and its length is its own.
        unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
                &raw const program,
            )
        }
    };
    let mut listener = set();
    if listener < 0 {
        // Without root it is for those only who give up becoming more than they are.
        // SAFETY: no pointers.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        listener = set();
    }
    if let Ok(listener) = RawFd::try_from(listener)
        && listener >= 0
    {
        send(sender, listener);
    }
}

/// Room for one descriptor beside a message: `CMSG_SPACE(4)`, aligned as its head must be.
#[repr(C, align(8))]
struct Beside([u8; 64]);

fn message(byte: &mut libc::iovec, beside: &mut Beside) -> libc::msghdr {
    // SAFETY: all its fields may be zero.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = byte;
    message.msg_iovlen = 1;
    message.msg_control = beside.0.as_mut_ptr().cast();
    // SAFETY: pure arithmetic.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as _;
    message
}

fn send(over: RawFd, descriptor: RawFd) {
    let (mut byte, mut beside) = (0u8, Beside([0; 64]));
    let mut text = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let message = message(&mut text, &mut beside);
    // SAFETY: `beside` has room for the head and one descriptor, which is all that is written.
    unsafe {
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        (*head).cmsg_level = libc::SOL_SOCKET;
        (*head).cmsg_type = libc::SCM_RIGHTS;
        (*head).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(head).cast::<RawFd>().write_unaligned(descriptor);
        libc::sendmsg(over, &raw const message, 0);
    }
}

fn receive(over: &UnixStream) -> Option<OwnedFd> {
    let (mut byte, mut beside) = (0u8, Beside([0; 64]));
    let mut text = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut message = message(&mut text, &mut beside);
    // SAFETY: the message points to live buffers of the lengths it says; the descriptor that came is nobody else's.
    unsafe {
        if libc::recvmsg(over.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) <= 0 {
            return None;
        }
        let head = libc::CMSG_FIRSTHDR(&raw const message);
        if head.is_null() || (*head).cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        Some(OwnedFd::from_raw_fd(libc::CMSG_DATA(head).cast::<RawFd>().read_unaligned()))
    }
}

/// Answers what the processes behind `listener` ask, until none is left.
fn serve(listener: &OwnedFd, ports: &OwnPorts) {
    loop {
        let mut ready = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which is live.
        if unsafe { libc::poll(&raw mut ready, 1, -1) } < 0 {
            if Errno::last() == Errno::EINTR {
                continue;
            }
            return;
        }
        if ready.revents & libc::POLLIN == 0 {
            return;
        }
        // SAFETY: all its fields may be zero, and the kernel wants them so.
        let mut asked: libc::seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: the kernel writes one notification.
        if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) } < 0 {
            match Errno::last() {
                // It was interrupted, or its asker has ended.
                Errno::EINTR | Errno::ENOENT => continue,
                _ => return,
            }
        }
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error: 0, flags: 0 };
        match decide(listener, &asked, ports) {
            None => answer.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
            Some(Ok(())) => {}
            Some(Err(error)) => answer.error = -(error as i32),
        }
        // An asker that has ended needs no answer.
        // SAFETY: the kernel reads one answer.
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    }
}

/// An address of the internet, as the program wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address(Vec<u8>);

impl Address {
    fn read(pid: u32, at: u64, length: u64) -> Option<Address> {
        let mut bytes = vec![0; usize::try_from(length).ok().filter(|length| (8..=128).contains(length))?];
        File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
        let address = Address(bytes);
        matches!(address.family(), libc::AF_INET | libc::AF_INET6).then_some(address)
    }

    fn family(&self) -> i32 {
        i32::from(u16::from_ne_bytes([self.0[0], self.0[1]]))
    }

    fn port(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    fn at(&self, port: u16) -> Address {
        let mut other = self.clone();
        other.0[2..4].copy_from_slice(&port.to_be_bytes());
        other
    }

    /// Whether it leads to this machine.
    fn near(&self) -> bool {
        match self.family() {
            libc::AF_INET => self.0[4] == 127 || self.0[4..8] == [0; 4],
            _ => match self.0.get(8..24) {
                Some(host) => {
                    let mapped = host[..10] == [0; 10] && host[10..12] == [0xff; 2] && host[12] == 127;
                    mapped || (host[..15] == [0; 15] && host[15] <= 1)
                }
                None => false,
            },
        }
    }

    fn bind(&self, socket: &OwnedFd) -> Result<(), Errno> {
        let length = self.0.len() as libc::socklen_t;
        // SAFETY: the bytes are live and as many as said.
        Errno::result(unsafe { libc::bind(socket.as_raw_fd(), self.0.as_ptr().cast(), length) }).map(drop)
    }

    fn connect(&self, socket: &OwnedFd) -> Result<(), Errno> {
        let length = self.0.len() as libc::socklen_t;
        // SAFETY: the bytes are live and as many as said.
        Errno::result(unsafe { libc::connect(socket.as_raw_fd(), self.0.as_ptr().cast(), length) }).map(drop)
    }
}

/// What a call of the program's comes to; `None`: let it go on as it is.
fn decide(listener: &OwnedFd, asked: &libc::seccomp_notif, ports: &OwnPorts) -> Option<Result<(), Errno>> {
    let address = Address::read(asked.pid, asked.data.args[1], asked.data.args[2])?;
    let (port, place) = (address.port(), ports.map().get(&address.port()).copied());
    let binds = i64::from(asked.data.nr) == libc::SYS_bind;
    if port == 0 || (!binds && (place.is_none_or(|place| place == port) || !address.near())) {
        return None;
    }
    let socket = socket_of(asked.pid, asked.data.args[0])?;
    // Its number may have gone to another process meanwhile.
    // SAFETY: the kernel reads one number.
    if unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const asked.id) }
        < 0
    {
        return None;
    }
    if kind(&socket) != Some(libc::SOCK_STREAM) {
        return None;
    }
    if !binds {
        return Some(address.at(place?).connect(&socket));
    }
    if let Some(place) = place {
        return Some(address.at(place).bind(&socket));
    }
    let mut bound = address.bind(&socket);
    if matches!(bound, Err(Errno::EADDRINUSE | Errno::EACCES)) {
        // Somebody else's: any other will do, since nobody but this replica knows it by its number.
        bound = address.at(0).bind(&socket);
    }
    if bound.is_ok()
        && let Some(place) = port_of(&socket)
    {
        ports.map().insert(port, place);
    }
    Some(bound)
}

/// A descriptor of another process, as one of ours.
fn socket_of(thread: u32, descriptor: u64) -> Option<OwnedFd> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse::<i32>().ok())?;
    let descriptor = i32::try_from(descriptor).ok()?;
    let own = |raw: libc::c_long| {
        let raw = RawFd::try_from(raw).ok().filter(|raw| *raw >= 0)?;
        // SAFETY: the kernel has just made it for us.
        Some(unsafe { OwnedFd::from_raw_fd(raw) })
    };
    // SAFETY: no pointers.
    let process = own(unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) })?;
    // SAFETY: no pointers.
    own(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) })
}

fn kind(socket: &OwnedFd) -> Option<i32> {
    let (mut kind, mut length) = (0i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: room for one number, as said.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut length,
        )
    };
    (got == 0).then_some(kind)
}

fn port_of(socket: &OwnedFd) -> Option<u16> {
    let mut bytes = [0u8; 128];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: room for any address, as said.
    let got = unsafe { libc::getsockname(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), &raw mut length) };
    (got == 0).then(|| u16::from_be_bytes([bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Runs a few lines of Python with the ports of a replica.
    fn run(ports: &OwnPorts, code: &str) -> String {
        let mut command = Command::new("python3");
        command.args(["-c", code]).stdout(Stdio::piped());
        let watch = prepare(&mut command, ports.clone()).unwrap();
        let mut child = command.spawn().unwrap();
        assert!(watch.begin());
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success(), "{text}");
        text.trim().to_owned()
    }

    fn free() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn the_target_port_is_elsewhere_on_the_machine_and_found_by_its_number_in_the_replica() {
        if !works() {
            return;
        }
        let (target, place) = (free(), free());
        let ports = OwnPorts::new(Some((target, place)));
        let said = run(
            &ports,
            &format!(
                "import socket\ns=socket.create_server(('0.0.0.0',{target}))\nprint(s.getsockname()[1])\n\
                 c=socket.create_connection(('127.0.0.1',{target}))\nprint(c.getpeername()[1])"
            ),
        );
        assert_eq!(said, format!("{place}\n{place}"));
        assert_eq!((ports.place(target), ports.asked(place)), (place, target));
    }

    #[test]
    fn a_port_that_somebody_has_is_another_one() {
        if !works() {
            return;
        }
        let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let ports = OwnPorts::default();
        let code = format!(
            "import socket\ns=socket.create_server(('0.0.0.0',{port}))\nc=socket.create_connection(('localhost',{port}))\n\
             print(s.getsockname()[1]==c.getpeername()[1]!={port})"
        );
        assert_eq!(run(&ports, &code), "True");
        assert_ne!(ports.place(port), port);
    }

    #[test]
    fn addresses_of_this_machine_are_known() {
        let address = |family: i32, rest: &[u8]| {
            let mut bytes = u16::try_from(family).unwrap().to_ne_bytes().to_vec();
            bytes.extend([0x1f, 0x90]);
            bytes.extend(rest);
            Address(bytes)
        };
        assert_eq!(address(libc::AF_INET, &[127, 0, 0, 1]).port(), 8080);
        assert!(address(libc::AF_INET, &[127, 0, 0, 1]).near());
        assert!(!address(libc::AF_INET, &[10, 0, 0, 1]).near());
        let six = |host: [u8; 16]| address(libc::AF_INET6, &[&[0; 4][..], &host].concat());
        assert!(six([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).near());
        assert!(six([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1]).near());
        assert!(!six([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).near());
    }
}
