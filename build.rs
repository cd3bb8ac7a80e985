//! Gives the shared library its SONAME and keeps it mapped after `dlclose`.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=DCN_TARGET={}", env::var("TARGET").expect("cargo sets TARGET"));
    println!("cargo:rustc-env=DCN_PROFILE={}", env::var("PROFILE").expect("cargo sets PROFILE"));
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    let major = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets the version");
    let minor = env::var("CARGO_PKG_VERSION_MINOR").expect("cargo sets the version");
    // While the release is 0.x every minor may change the ABI, so the SONAME carries it.
    let abi = if major == "0" { format!("0.{minor}") } else { major };
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libdeformconv.so.{abi}");
    // A host thread that ran our code has thread locals; their destructors must still be mapped when the thread ends.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
