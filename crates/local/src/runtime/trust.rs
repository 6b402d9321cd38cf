//! Whom a replica trusts: the authorities of its image and, so that it reaches local Azure's own services by HTTPS as it
//! reaches Azure's, the authority of local Azure. The image itself stays as it is; the program need not know.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::image::{remove_tree, resolve_in_root};

/// Where Debian, Red Hat and Alpine keep the bundle of trusted authorities, and programs look for it.
const BUNDLES: [&str; 3] =
    ["etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem"];

/// The variable by which programs are told of another bundle.
pub(crate) const VARIABLE: &str = "SSL_CERT_FILE";

/// What a replica finds in place of its image's bundles.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Below the root folder, links followed, with what each holds.
    pub bundles: Vec<(PathBuf, Vec<u8>)>,
    /// The image has none: whoever looks elsewhere is told of the one that is made.
    pub made: bool,
}

impl Trust {
    /// The bundles of an image with this authority added; none where there is no authority.
    pub fn of(image: &Path, authority: &str) -> io::Result<Trust> {
        if authority.is_empty() {
            return Ok(Trust { bundles: Vec::new(), made: false });
        }
        let mut places = BTreeSet::new();
        for bundle in BUNDLES {
            let there = resolve_in_root(image, Path::new(bundle))?;
            if there.is_file() {
                places.insert(there);
            }
        }
        let made = places.is_empty();
        if made {
            places.insert(image.join(BUNDLES[0]));
        }
        let mut bundles = Vec::new();
        for place in places {
            let mut text = if made { Vec::new() } else { fs::read(&place)? };
            if text.last().is_some_and(|last| *last != b'\n') {
                text.push(b'\n');
            }
            text.extend_from_slice(authority.as_bytes());
            bundles.push((place.strip_prefix(image).unwrap_or(&place).to_path_buf(), text));
        }
        Ok(Trust { bundles, made })
    }

    /// Writes the bundles below a replica's private layer.
    pub fn write(&self, layer: &Path) -> io::Result<()> {
        for (place, text) in &self.bundles {
            let path = layer.join(place);
            remove_tree(&path);
            fs::create_dir_all(path.parent().unwrap_or(layer))?;
            fs::write(&path, text)?;
        }
        Ok(())
    }

    /// The first bundle, as the program knows it: what [`VARIABLE`] is to say where the image says nothing.
    pub fn path(&self) -> Option<PathBuf> {
        self.bundles.first().map(|(place, _)| Path::new("/").join(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_bundle_gains_an_authority_and_stays_as_it_is() {
        let image = tempfile::tempdir().unwrap();
        let bundle = image.path().join(BUNDLES[0]);
        fs::create_dir_all(bundle.parent().unwrap()).unwrap();
        fs::write(&bundle, "known").unwrap();
        std::os::unix::fs::symlink("certs/ca-certificates.crt", image.path().join(BUNDLES[2])).unwrap();
        let trust = Trust::of(image.path(), "ours\n").unwrap();
        assert_eq!(
            trust.bundles,
            [(PathBuf::from(BUNDLES[0]), b"known\nours\n".to_vec())],
            "once, by its file"
        );
        assert!(!trust.made);
        let layer = tempfile::tempdir().unwrap();
        trust.write(layer.path()).unwrap();
        assert_eq!(fs::read_to_string(layer.path().join(BUNDLES[0])).unwrap(), "known\nours\n");
        assert_eq!(fs::read_to_string(bundle).unwrap(), "known", "the image is shared");
    }

    #[test]
    fn an_image_without_a_bundle_gets_one_and_is_told_of_it() {
        let image = tempfile::tempdir().unwrap();
        let trust = Trust::of(image.path(), "ours\n").unwrap();
        assert!(trust.made);
        assert_eq!(trust.path(), Some(Path::new("/").join(BUNDLES[0])));
        assert!(Trust::of(image.path(), "").unwrap().bundles.is_empty());
    }
}
