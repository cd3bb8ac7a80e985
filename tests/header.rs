//! The committed header is what cbindgen makes of the sources, and its structs have the sizes the library publishes.

use std::{env, fs, path::Path};

const HEADER: &str = "include/deformconv/deformconv.h";

/// Rendered in memory: cbindgen's own `--verify` overwrites the file before it fails.
fn rendered() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in sources(&root.join("src/abi")).into_iter().chain(sources(&root.join("src/ffi"))) {
        builder = builder.with_src(source);
    }
    let mut text = Vec::new();
    builder.generate().expect("cbindgen parses the sources").write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is readable");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the entry is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    paths
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
