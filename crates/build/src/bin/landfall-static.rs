//! The static file server as a program of its own, for the tests of this room: called as the `landfall` binary is
//! called in the image of a static site.

use landfall_build::static_server::{Options, serve};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut options = Options { root: ".".into(), port: 8080, spa: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "static" => {}
            "--spa" => options.spa = true,
            "--root" => options.root = words.next().unwrap_or_default().into(),
            word => return Err(std::io::Error::other(format!("unknown argument {word}"))),
        }
    }
    if let Some(port) = std::env::var("PORT").ok().and_then(|text| text.parse().ok()) {
        options.port = port;
    }
    serve(options).await
}
