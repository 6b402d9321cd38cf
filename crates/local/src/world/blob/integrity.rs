//! Digests: what a client says of content must be true of what came in, and is told back.
//!
//! Source: `rest/api/storageservices/put-blob` and its neighbours, from version 2019-02-02 on: CRC64 is always told,
//! MD5 where it was sent and of a blob put whole. Content itself is only known to the front, which hashes what comes
//! in; it is asked by header to hash what is copied ([`sourced`]) and what is read ([`DIGEST`]).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::refusal::{invalid_header, refuse};
use super::{Ask, copy};
use crate::world::http::Segment;
use crate::world::{Method, Plane, Request, Response, World};

/// Asks the front to hash an answer's content: `md5` or `crc64`.
pub(crate) const DIGEST: &str = "x-landfall-digest";
/// What the front found of the content that a request copies.
pub(crate) const SOURCE_MD5: &str = "x-landfall-source-md5";
/// The same, CRC64.
pub(crate) const SOURCE_CRC64: &str = "x-landfall-source-crc64";
/// The most that is hashed on reading.
const READ_MAX: u64 = 4 << 20;

const EMPTY_MD5: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";
const EMPTY_CRC64: &str = "AAAAAAAAAAA=";

/// Digests of what came in, where they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) md5: Option<String>,
    pub(super) crc64: Option<String>,
}

impl Sums {
    /// Of content in one piece, or of none.
    pub(super) fn of(segments: &[Segment]) -> Sums {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match segments {
            [] => Sums { md5: known(EMPTY_MD5), crc64: known(EMPTY_CRC64) },
            [one] => Sums { md5: known(&one.md5), crc64: known(&one.crc64) },
            _ => Sums::default(),
        }
    }

    /// Tells the CRC64, and the MD5 when the request had one.
    pub(super) fn describe(&self, ask: &Ask<'_>, mut response: Response) -> Response {
        let asked = ["content-md5", "x-ms-source-content-md5"].iter().any(|name| ask.header(name).is_some());
        if let Some(md5) = self.md5.as_deref().filter(|_| asked) {
            response = response.with("content-md5", md5);
        }
        match &self.crc64 {
            Some(crc64) => response.with("x-ms-content-crc64", crc64.as_str()),
            None => response,
        }
    }
}

/// Refuses content that is not what the request says of it.
pub(super) fn check(ask: &Ask<'_>, segments: &[Segment]) -> Result<Sums, Response> {
    let mut sums = Sums::of(segments);
    let copied = ask.header("x-ms-copy-source").is_some();
    if copied {
        let found = |name: &str| ask.header(name).map(str::to_owned);
        sums = Sums { md5: found(SOURCE_MD5).or(sums.md5), crc64: found(SOURCE_CRC64).or(sums.crc64) };
    }
    let (md5, crc64) = if copied {
        ("x-ms-source-content-md5", "x-ms-source-content-crc64")
    } else {
        ("content-md5", "x-ms-content-crc64")
    };
    if ask.header(md5).is_some() && ask.header(crc64).is_some() {
        return Err(refuse(
            400,
            "BothCrc64AndMd5HeaderPresent",
            "Both x-ms-content-crc64 header and content-md5 header are present.",
        ));
    }
    // A blob put whole may say its MD5 where it is kept, too.
    let kept = (ask.request.query("comp").is_none() && !copied).then_some("x-ms-blob-content-md5");
    for name in [Some(md5), kept].into_iter().flatten() {
        let Some(said) = ask.header(name) else { continue };
        if STANDARD.decode(said).map_or(0, |digest| digest.len()) != 16 {
            return Err(refuse(
                400,
                "InvalidMd5",
                "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64-encoded.",
            ));
        }
        if sums.md5.as_deref().is_some_and(|found| found != said) {
            return Err(refuse(
                400,
                "Md5Mismatch",
                "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
            ));
        }
    }
    if let Some(said) = ask.header(crc64) {
        if STANDARD.decode(said).map_or(0, |digest| digest.len()) != 8 {
            return Err(invalid_header(crc64, said));
        }
        if sums.crc64.as_deref().is_some_and(|found| found != said) {
            return Err(refuse(
                400,
                "Crc64Mismatch",
                "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.",
            ));
        }
    }
    Ok(sums)
}

/// The content that a request copies, when its digests are wanted and only the front can make them.
pub(crate) fn sourced(world: &World, request: &Request) -> Option<Vec<Segment>> {
    let Plane::Blob { account } = &request.plane else { return None };
    let source = request.header("x-ms-copy-source").filter(|_| request.method == Method::Put)?;
    let comp = request.query("comp").unwrap_or_default();
    let block = ["block", "appendblock", "page"].iter().any(|known| comp.eq_ignore_ascii_case(known));
    if !block && request.header("x-ms-blob-type").is_none() {
        return None;
    }
    let ask = Ask::new(world, account, request).ok()?;
    copy::part(world, &ask, source).ok().map(|(segments, _)| segments)
}

/// What a read wants hashed of its content: `x-ms-range-get-content-md5` and `-crc64`.
pub(super) fn wanted_of_range(ask: &Ask<'_>, length: Option<u64>) -> Result<Option<&'static str>, Response> {
    let asked = |name: &str| ask.header(name).is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let names = ["x-ms-range-get-content-md5", "x-ms-range-get-content-crc64"];
    let which = match names.map(asked) {
        [false, false] => return Ok(None),
        [true, false] => "md5",
        [false, true] => "crc64",
        [true, true] => {
            return Err(refuse(
                400,
                "InvalidInput",
                "The MD5 and the CRC64 of a range cannot both be asked for.",
            ));
        }
    };
    match length {
        Some(length) if length <= READ_MAX => Ok(Some(which)),
        Some(_) => Err(refuse(400, "OutOfRangeInput", "One of the request inputs is out of range.")),
        None => Err(refuse(
            400,
            "InvalidHeaderValue",
            "The value for one of the HTTP headers is not in the correct format: only a range is hashed.",
        )),
    }
}
