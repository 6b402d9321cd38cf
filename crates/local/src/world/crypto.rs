//! Private keys that follow from a seed: RSA and the curves that Key Vault knows, with what is done with them.
//!
//! The same seed gives the same key, so a world that is played again has the same tokens, keys and certificates.
//! Signatures of curves take no chance (RFC 6979); PSS and encryption do, from the seed that the caller gives.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Oaep, Pkcs1v15Encrypt, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};
use sha1::Sha1;

use super::Hidden;

/// A private key.
#[derive(Clone)]
pub enum Key {
    /// Of 2048, 3072 or 4096 bits.
    Rsa(Box<RsaPrivateKey>),
    /// NIST's P-256.
    P256(Box<p256::ecdsa::SigningKey>),
    /// SECG's secp256k1, which Key Vault calls P-256K.
    P256K(Box<k256::ecdsa::SigningKey>),
    /// NIST's P-384.
    P384(Box<p384::ecdsa::SigningKey>),
    /// NIST's P-521.
    P521(Box<p521::ecdsa::SigningKey>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.curve().unwrap_or("RSA"))
    }
}

/// The same expression for the key of any curve, with the curve's crate as a name.
macro_rules! of_curve {
    ($key:expr, ($it:ident, $curve:ident) => $do:expr, $rsa:ident => $else:expr) => {
        match $key {
            Key::Rsa($rsa) => $else,
            Key::P256($it) => {
                use p256 as $curve;
                $do
            }
            Key::P256K($it) => {
                use k256 as $curve;
                $do
            }
            Key::P384($it) => {
                use p384 as $curve;
                $do
            }
            Key::P521($it) => {
                use p521 as $curve;
                $do
            }
        }
    };
}

/// Curves by Key Vault's name, and how a signature with them is called.
pub const CURVES: [(&str, &str); 4] =
    [("P-256", "ES256"), ("P-256K", "ES256K"), ("P-384", "ES384"), ("P-521", "ES512")];

impl Key {
    /// An RSA key.
    pub fn rsa(bits: usize, seed: [u8; 32]) -> Option<Key> {
        RsaPrivateKey::new(&mut ChaCha20Rng::from_seed(seed), bits).ok().map(|key| Key::Rsa(Box::new(key)))
    }

    /// A key of one of [`CURVES`].
    pub fn of_curve(curve: &str, seed: [u8; 32]) -> Option<Key> {
        let mut rng = ChaCha20Rng::from_seed(seed);
        // A draw is a key unless it is zero or above the curve's order, which next to none is.
        (0..100).find_map(|_| {
            let mut bytes = [0; 66];
            rng.fill_bytes(&mut bytes);
            Key::scalar(curve, &bytes)
        })
    }

    /// A curve's key by its number; of longer numbers the last bytes count.
    fn scalar(curve: &str, bytes: &[u8]) -> Option<Key> {
        let last = |length: usize| bytes.get(bytes.len().checked_sub(length)?..);
        Some(match curve {
            "P-256" => Key::P256(Box::new(p256::ecdsa::SigningKey::from_slice(last(32)?).ok()?)),
            "P-256K" => Key::P256K(Box::new(k256::ecdsa::SigningKey::from_slice(last(32)?).ok()?)),
            "P-384" => Key::P384(Box::new(p384::ecdsa::SigningKey::from_slice(last(48)?).ok()?)),
            "P-521" => {
                let mut bytes = last(66)?.to_vec();
                // 521 bits are 65 bytes and one bit.
                bytes[0] &= 1;
                Key::P521(Box::new(p521::ecdsa::SigningKey::from_slice(&bytes).ok()?))
            }
            _ => return None,
        })
    }

    /// From PKCS #8 in DER.
    pub fn from_pkcs8(der: &[u8]) -> Option<Key> {
        if let Ok(key) = RsaPrivateKey::from_pkcs8_der(der) {
            return Some(Key::Rsa(Box::new(key)));
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Some(Key::P256(Box::new(key)));
        }
        if let Ok(key) = k256::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Some(Key::P256K(Box::new(key)));
        }
        if let Ok(key) = p384::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Some(Key::P384(Box::new(key)));
        }
        p521::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(|key| Key::P521(Box::new(key)))
    }

    /// PKCS #8 in DER.
    pub fn to_pkcs8(&self) -> Vec<u8> {
        let encoded = of_curve!(
            self,
            (it, curve) => curve::SecretKey::from(it.as_nonzero_scalar()).to_pkcs8_der(),
            rsa => rsa.to_pkcs8_der()
        );
        encoded.map(|der| der.as_bytes().to_vec()).unwrap_or_default()
    }

    /// As the world keeps it.
    pub fn kept(&self) -> Hidden {
        Hidden(STANDARD.encode(self.to_pkcs8()))
    }

    /// What [`Key::kept`] kept.
    pub fn of_kept(kept: &Hidden) -> Option<Key> {
        Key::from_pkcs8(&STANDARD.decode(&kept.0).ok()?)
    }

    /// From the members of a JSON Web Key with its private part.
    pub fn from_jwk(jwk: &Value) -> Option<Key> {
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?.trim_end_matches('=')).ok();
        let kind = jwk["kty"].as_str()?;
        if kind.starts_with("EC") {
            let (length, number) = (66, bytes("d")?);
            let mut padded = vec![0; length.max(number.len()) - number.len()];
            padded.extend(number);
            return Key::scalar(jwk["crv"].as_str()?, &padded);
        }
        let number = |name: &str| Some(BoxedUint::from_be_slice_vartime(&bytes(name)?));
        let primes = vec![number("p")?, number("q")?];
        let key = RsaPrivateKey::from_components(number("n")?, number("e")?, number("d")?, primes).ok()?;
        Some(Key::Rsa(Box::new(key)))
    }

    /// `P-256` and its like; `None` for RSA.
    pub fn curve(&self) -> Option<&'static str> {
        match self {
            Key::Rsa(_) => None,
            Key::P256(_) => Some("P-256"),
            Key::P256K(_) => Some("P-256K"),
            Key::P384(_) => Some("P-384"),
            Key::P521(_) => Some("P-521"),
        }
    }

    /// Bits of an RSA key.
    pub fn bits(&self) -> Option<usize> {
        match self {
            Key::Rsa(key) => Some(key.size() * 8),
            _ => None,
        }
    }

    /// The public members of its JSON Web Key: `kty`, and `n`, `e` or `crv`, `x`, `y`.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = match self {
            Key::Rsa(rsa) => {
                return json!({"kty": "RSA", "n": text(&rsa.n_bytes()), "e": text(&rsa.e_bytes())});
            }
            Key::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Key::P256K(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Key::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Key::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        };
        // 4, x, y
        let (x, y) = point[1..].split_at((point.len() - 1) / 2);
        json!({"kty": "EC", "crv": self.curve(), "x": text(x), "y": text(y)})
    }

    /// Signs a digest by one of JSON Web Signature's algorithms; `None` for one that the key or the digest does not
    /// fit.
    pub fn sign(&self, algorithm: &str, digest: &[u8], seed: [u8; 32]) -> Option<Vec<u8>> {
        if digest_length(algorithm)? != digest.len() || self.curve() != curve_of(algorithm) {
            return None;
        }
        let rsa = of_curve!(
            self,
            (it, curve) => {
                let signature: curve::ecdsa::Signature = it.sign_prehash(digest).ok()?;
                return Some(signature.to_bytes().to_vec());
            },
            rsa => rsa
        );
        let mut rng = ChaCha20Rng::from_seed(seed);
        match algorithm {
            "RS256" => rsa.sign(Pkcs1v15Sign::new::<Sha256>(), digest),
            "RS384" => rsa.sign(Pkcs1v15Sign::new::<Sha384>(), digest),
            "RS512" => rsa.sign(Pkcs1v15Sign::new::<Sha512>(), digest),
            "PS256" => rsa.sign_with_rng(&mut rng, Pss::<Sha256>::new(), digest),
            "PS384" => rsa.sign_with_rng(&mut rng, Pss::<Sha384>::new(), digest),
            _ => rsa.sign_with_rng(&mut rng, Pss::<Sha512>::new(), digest),
        }
        .ok()
    }

    /// Encrypts up to a key's length by one of JSON Web Encryption's RSA algorithms.
    pub fn encrypt(&self, algorithm: &str, plain: &[u8], seed: [u8; 32]) -> Option<Vec<u8>> {
        let Key::Rsa(rsa) = self else { return None };
        let (key, mut rng) = (rsa.to_public_key(), ChaCha20Rng::from_seed(seed));
        match algorithm {
            "RSA1_5" => key.encrypt(&mut rng, Pkcs1v15Encrypt, plain).ok(),
            "RSA-OAEP" => key.encrypt(&mut rng, Oaep::<Sha1>::new(), plain).ok(),
            "RSA-OAEP-256" => key.encrypt(&mut rng, Oaep::<Sha256>::new(), plain).ok(),
            _ => None,
        }
    }

    /// Decrypts what [`Key::encrypt`] gave.
    pub fn decrypt(&self, algorithm: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let Key::Rsa(rsa) = self else { return None };
        match algorithm {
            "RSA1_5" => rsa.decrypt(Pkcs1v15Encrypt, sealed).ok(),
            "RSA-OAEP" => rsa.decrypt(Oaep::<Sha1>::new(), sealed).ok(),
            "RSA-OAEP-256" => rsa.decrypt(Oaep::<Sha256>::new(), sealed).ok(),
            _ => None,
        }
    }
}

/// How long the digest is that an algorithm signs; `None` for one that there is not.
pub fn digest_length(algorithm: &str) -> Option<usize> {
    match algorithm {
        "RS256" | "PS256" | "ES256" | "ES256K" => Some(32),
        "RS384" | "PS384" | "ES384" => Some(48),
        "RS512" | "PS512" | "ES512" => Some(64),
        _ => None,
    }
}

/// The curve that an algorithm is for; `None` for RSA's.
fn curve_of(algorithm: &str) -> Option<&'static str> {
    CURVES.iter().find(|(_, signs)| *signs == algorithm).map(|(curve, _)| *curve)
}

/// The digest that an algorithm signs, of a text.
pub fn digest(algorithm: &str, text: &[u8]) -> Option<Vec<u8>> {
    Some(match digest_length(algorithm)? {
        32 => Sha256::digest(text).to_vec(),
        48 => Sha384::digest(text).to_vec(),
        _ => Sha512::digest(text).to_vec(),
    })
}

/// Whether a signature is by the key of a JSON Web Key's public members; `None` for an algorithm or a key that there
/// is not.
pub fn verify(jwk: &Value, algorithm: &str, digest: &[u8], signature: &[u8]) -> Option<bool> {
    if digest_length(algorithm)? != digest.len() {
        return Some(false);
    }
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?.trim_end_matches('=')).ok();
    if let Some(curve) = curve_of(algorithm) {
        if jwk["crv"] != curve {
            return None;
        }
        // 4, x, y
        let point = [vec![4], bytes("x")?, bytes("y")?].concat();
        macro_rules! by {
            ($curve:ident) => {{
                let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
                let signature = $curve::ecdsa::Signature::from_slice(signature);
                signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
            }};
        }
        return Some(match curve {
            "P-256" => by!(p256),
            "P-256K" => by!(k256),
            "P-384" => by!(p384),
            _ => by!(p521),
        });
    }
    let number = |name: &str| Some(BoxedUint::from_be_slice_vartime(&bytes(name)?));
    let key = RsaPublicKey::new(number("n")?, number("e")?).ok()?;
    let verified = match algorithm {
        "RS256" => key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature),
        "RS384" => key.verify(Pkcs1v15Sign::new::<Sha384>(), digest, signature),
        "RS512" => key.verify(Pkcs1v15Sign::new::<Sha512>(), digest, signature),
        "PS256" => key.verify(Pss::<Sha256>::new(), digest, signature),
        "PS384" => key.verify(Pss::<Sha384>::new(), digest, signature),
        _ => key.verify(Pss::<Sha512>::new(), digest, signature),
    };
    Some(verified.is_ok())
}

/// A key as the maker of certificates takes it.
#[derive(Debug)]
pub struct CertificateKey<'a> {
    key: &'a Key,
    public: Vec<u8>,
}

impl<'a> CertificateKey<'a> {
    /// `None` for a curve that it cannot sign certificates with.
    pub fn new(key: &'a Key) -> Option<CertificateKey<'a>> {
        let public = match key {
            Key::Rsa(rsa) => rsa.to_public_key().to_pkcs1_der().ok()?.as_bytes().to_vec(),
            Key::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Key::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Key::P256K(_) | Key::P521(_) => return None,
        };
        Some(CertificateKey { key, public })
    }
}

impl CertificateKey<'_> {
    /// The public key as a certificate has it, without its algorithm.
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

impl rcgen::PublicKeyData for CertificateKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.key {
            Key::P256(_) => &rcgen::PKCS_ECDSA_P256_SHA256,
            Key::P384(_) => &rcgen::PKCS_ECDSA_P384_SHA384,
            _ => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

impl rcgen::SigningKey for CertificateKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signed = match self.key {
            Key::P256(key) => {
                let signature: Option<p256::ecdsa::DerSignature> =
                    key.sign_prehash(&Sha256::digest(message)).ok();
                signature.map(|signature| signature.as_bytes().to_vec())
            }
            Key::P384(key) => {
                let signature: Option<p384::ecdsa::DerSignature> =
                    key.sign_prehash(&Sha384::digest(message)).ok();
                signature.map(|signature| signature.as_bytes().to_vec())
            }
            key => key.sign("RS256", &Sha256::digest(message), [0; 32]),
        };
        signed.ok_or(rcgen::Error::RemoteKeyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_key_and_it_survives_being_kept() {
        for (curve, _) in CURVES {
            let key = Key::of_curve(curve, [7; 32]).unwrap();
            assert_eq!(key.jwk(), Key::of_curve(curve, [7; 32]).unwrap().jwk());
            assert_ne!(key.jwk(), Key::of_curve(curve, [8; 32]).unwrap().jwk());
            assert_eq!(Key::of_kept(&key.kept()).unwrap().jwk(), key.jwk(), "{curve}");
        }
        let key = Key::rsa(2048, [7; 32]).unwrap();
        assert_eq!((key.bits(), key.jwk()), (Some(2048), Key::rsa(2048, [7; 32]).unwrap().jwk()));
        assert_eq!(Key::of_kept(&key.kept()).unwrap().jwk(), key.jwk());
    }

    #[test]
    fn what_a_key_signs_only_its_public_part_verifies() {
        let rsa = Key::rsa(2048, [1; 32]).unwrap();
        let keys: Vec<(Key, &str)> = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
            .map(|algorithm| (rsa.clone(), algorithm))
            .into_iter()
            .chain(CURVES.map(|(curve, signs)| (Key::of_curve(curve, [2; 32]).unwrap(), signs)))
            .collect();
        for (key, algorithm) in keys {
            let of = |text: &[u8]| digest(algorithm, text).unwrap();
            let signature = key.sign(algorithm, &of(b"text"), [3; 32]).unwrap();
            assert_eq!(verify(&key.jwk(), algorithm, &of(b"text"), &signature), Some(true), "{algorithm}");
            assert_eq!(verify(&key.jwk(), algorithm, &of(b"Text"), &signature), Some(false), "{algorithm}");
            assert_eq!(key.sign(algorithm, b"short", [3; 32]), None);
        }
        assert_eq!(rsa.sign("ES256", &[0; 32], [0; 32]), None, "an RSA key signs nothing for a curve");
    }

    #[test]
    fn what_is_encrypted_is_decrypted() {
        let key = Key::rsa(2048, [1; 32]).unwrap();
        for algorithm in ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"] {
            let sealed = key.encrypt(algorithm, b"hush", [4; 32]).unwrap();
            assert_eq!(key.decrypt(algorithm, &sealed).as_deref(), Some(b"hush".as_slice()));
        }
        assert_eq!(key.encrypt("RSA-OAEP", &[0; 300], [4; 32]), None, "longer than the key");
    }
}
