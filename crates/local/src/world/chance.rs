//! Draws that depend on the seed and on what they are for, not on how many were made before for other
//! purposes: one more resource does not change the ids of the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The source of everything that Azure would make up: ids, keys, suffixes, jitter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chance {
    seed: u64,
    drawn: BTreeMap<String, u64>,
}

impl Chance {
    /// A source that has drawn nothing yet.
    pub fn new(seed: u64) -> Chance {
        Chance { seed, drawn: BTreeMap::new() }
    }

    fn draw(&mut self, purpose: &str) -> [u8; 32] {
        let count = self.drawn.entry(purpose.to_owned()).or_default();
        *count += 1;
        digest(self.seed, purpose, *count)
    }

    /// A UUID in version 4's form, as Azure gives to operations, principals, tenants.
    pub fn uuid(&mut self, purpose: &str) -> Uuid {
        let bytes = self.draw(purpose);
        let mut head = [0; 16];
        head.copy_from_slice(&bytes[..16]);
        uuid::Builder::from_random_bytes(head).into_uuid()
    }

    /// `length` lower-case letters and digits, the first a letter.
    pub fn word(&mut self, purpose: &str, length: usize) -> String {
        let bytes = self.draw(purpose);
        spell(&bytes, length)
    }

    /// Between 0 and 1.
    pub fn fraction(&mut self, purpose: &str) -> f64 {
        let bytes = self.draw(purpose);
        let mut head = [0; 8];
        head.copy_from_slice(&bytes[..8]);
        (u64::from_be_bytes(head) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `length` bytes, for keys.
    pub fn bytes(&mut self, purpose: &str, length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while out.len() < length {
            out.extend_from_slice(&self.draw(purpose));
        }
        out.truncate(length);
        out
    }
}

/// `length` letters and digits that follow from seed and purpose alone.
pub fn word(seed: u64, purpose: &str, length: usize) -> String {
    spell(&digest(seed, purpose, 0), length)
}

/// A UUID that follows from seed and purpose alone.
pub fn fixed_uuid(seed: u64, purpose: &str) -> Uuid {
    let mut head = [0; 16];
    head.copy_from_slice(&digest(seed, purpose, 0)[..16]);
    uuid::Builder::from_random_bytes(head).into_uuid()
}

/// 32 bytes that follow from seed, purpose and number alone.
pub fn digest(seed: u64, purpose: &str, number: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(number.to_be_bytes());
    hash.update(purpose.as_bytes());
    hash.finalize().into()
}

fn spell(bytes: &[u8; 32], length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    let mut block = *bytes;
    let mut at = 0;
    while text.len() < length {
        if at == block.len() {
            block = Sha256::digest(block).into();
            at = 0;
        }
        let range = if text.is_empty() { 26 } else { LETTERS.len() };
        text.push(LETTERS[block[at] as usize % range] as char);
        at += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_purpose_only() {
        let (mut a, mut b) = (Chance::new(7), Chance::new(7));
        b.uuid("something else");
        assert_eq!(a.uuid("operation"), b.uuid("operation"));
        assert_ne!(a.uuid("operation"), Chance::new(7).uuid("operation"));
        assert_ne!(Chance::new(8).uuid("operation"), Chance::new(7).uuid("operation"));
        let fraction = a.fraction("jitter");
        assert!((0.0..1.0).contains(&fraction));
        assert_eq!(a.word("name", 70).len(), 70);
        assert!(a.word("name", 70).starts_with(|c: char| c.is_ascii_lowercase()));
    }
}
