//! The lowest layer: what a program finds around it in an otherwise empty image.
//!
//! With no registry to take a base image from, the layer is put together from this machine's own runtime: the
//! folders and few files that programs expect, a user, certificates, time zones, and whatever program the
//! family adds (an interpreter, a shell) with the libraries it needs.

use crate::elf::{self, Both};
use crate::tree::{Tree, USER};
use crate::{Error, toolchain};
use std::path::{Path, PathBuf};

/// Where Debian, Red Hat and Alpine keep the bundle of trusted certificates.
const CERTIFICATES: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Libraries that the C library opens by name: name service on older versions, and the unwinder that ending a
/// thread needs.
const OPENED_BY_NAME: &[&str] = &["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2", "libgcc_s.so.1"];

/// Makes the tree that every image has.
pub(crate) fn tree() -> Result<Tree, Error> {
    let mut tree = Tree::new();
    for folder in
        ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/local/bin", "etc", "var", "root", "app"]
    {
        tree.folder(folder);
    }
    // Where the container's runtime mounts its own.
    for folder in ["dev", "proc", "sys", "run"] {
        tree.folder(folder);
    }
    for link in ["bin", "sbin", "lib", "lib64"] {
        tree.link(link, &format!("usr/{link}"));
    }
    tree.folder_with("tmp", 0o1777, 0);
    tree.folder_with("var/tmp", 0o1777, 0);
    tree.folder_with("home/app", 0o755, USER);
    let passwd = format!(
        "root:x:0:0:root:/root:/sbin/nologin\napp:x:{USER}:{USER}:app:/home/app:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
    );
    tree.bytes("etc/passwd", passwd);
    tree.bytes("etc/group", format!("root:x:0:\ntty:x:5:\napp:x:{USER}:\nnogroup:x:65534:\n"));
    tree.bytes("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
    // Container runtimes write their own over it; one that does not still knows its own name.
    tree.bytes("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    if let Some(bundle) = CERTIFICATES.iter().map(Path::new).find_map(|path| path.canonicalize().ok()) {
        tree.file("etc/ssl/certs/ca-certificates.crt", &bundle, false);
        tree.link("etc/ssl/cert.pem", "certs/ca-certificates.crt");
    }
    let zones = Path::new("/usr/share/zoneinfo");
    if zones.is_dir() {
        // `posix` repeats every zone and `right` counts leap seconds, which nobody asks for.
        let wanted = |path: &str| {
            !["posix", "right", "localtime", "posixrules"].contains(&path) && !path.ends_with(".list")
        };
        tree.folder_of("usr/share/zoneinfo", zones, &wanted)?;
    }
    Ok(tree)
}

/// Variables that every image sets.
pub(crate) fn env(path: &str) -> Vec<(String, String)> {
    [
        ("PATH", path),
        ("HOME", "/home/app"),
        ("LANG", "C.UTF-8"),
        ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The search path of an image with nothing special in it.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Adds `/bin/sh` and `env`: start commands with variables in them need the one, `#!/usr/bin/env node` the other.
pub(crate) fn add_shell(tree: &mut Tree) -> Result<(), Error> {
    for (name, why) in
        [("sh", "start commands with variables run in it"), ("env", "installed scripts begin with it")]
    {
        let tool = toolchain::find(name, why)?;
        let real = tool.path.canonicalize().map_err(Error::io("read", &tool.path))?;
        tree.file(&format!("usr/bin/{name}"), &real, true);
    }
    Ok(())
}

/// Adds the loader and libraries of every program in the tree and of `programs`, which lie in a layer above, and
/// the libraries that are opened by name. A static program needs none.
pub(crate) fn close(tree: &mut Tree, programs: Vec<Both>) -> Result<(), Error> {
    let mut roots = elf::in_tree(tree, elf::own_machine())?;
    roots.extend(programs);
    let missing = elf::add_libraries(tree, None, roots)?;
    if let Some(missing) = missing.into_iter().next() {
        return Err(Error::MissingLibrary { file: missing.file, library: missing.library });
    }
    let c_library = tree.host_files().find(|(path, _)| path.ends_with("/libc.so.6"));
    let Some((there, here)) = c_library.map(|(there, here)| (there.to_owned(), here.to_path_buf())) else {
        return Ok(());
    };
    let (there, here) = (parent(&there), here.parent().map(Path::to_path_buf).unwrap_or_default());
    let by_name: Vec<Both> = OPENED_BY_NAME
        .iter()
        .map(|name| Both { here: here.join(name), there: format!("/{there}/{name}") })
        .filter(|library| library.here.is_file())
        .collect();
    for library in &by_name {
        tree.file(&library.there, &library.here, true);
    }
    elf::add_libraries(tree, None, by_name)?;
    Ok(())
}

/// Files whose replacement changes the base layer of any image; their state is part of the fingerprint.
pub(crate) fn shaped_by() -> Vec<PathBuf> {
    let loaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    CERTIFICATES
        .iter()
        .chain(&loaders)
        .map(Path::new)
        .chain([Path::new("/usr/share/zoneinfo/tzdata.zi")])
        .filter_map(|path| path.canonicalize().ok())
        .collect()
}

fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned()
}
