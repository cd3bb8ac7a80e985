//! The committed header is what cbindgen makes of the sources, and its structs have the sizes the library publishes.

use std::{env, fs, path::Path};

const HEADER: &str = "include/deformconv/deformconv.h";

/// Rendered in memory: cbindgen's own `--verify` overwrites the file before it fails.
fn rendered() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    // cbindgen follows the `mod` lines of the two folders.
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = builder.with_src(root.join("src/abi/mod.rs")).with_src(root.join("src/ffi/mod.rs"));
    let mut text = Vec::new();
    builder.generate().expect("cbindgen parses the sources").write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}

#[test]
fn header_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(HEADER);
    let expected = rendered();
    if env::var_os("DCN_BLESS").is_some() {
        fs::write(&path, &expected).expect("the header is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == expected, "{HEADER} differs from the sources; run `DCN_BLESS=1 cargo test --test header`");
}
