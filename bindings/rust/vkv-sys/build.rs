//! Finds libvkv: in the folder `VKV_LIB_DIR`, else through `pkg-config vkv`, else in the build folders of the source
//! tree that this crate lies in.
//!
//! Tells dependents' build scripts the folder as `DEP_VKV_LIB_DIR`. Links through a folder in the target directory,
//! which `cargo run` and `cargo test` of every dependent search at run time.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const LIBRARY: &str = "libvkv.so";

fn main() {
    println!("cargo:rerun-if-env-changed=VKV_LIB_DIR");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation alone: nothing is linked
    }
    let folder = find().unwrap_or_else(|sentence| {
        eprintln!("error: {}", sentence);
        std::process::exit(1);
    });
    println!("cargo:rerun-if-changed={}", folder.join(LIBRARY).display());
    println!("cargo:rustc-link-search=native={}", mirror(&folder).display());
    println!("cargo:rustc-link-lib=dylib=vkv");
    println!("cargo:lib_dir={}", folder.display());
}

fn find() -> Result<PathBuf, String> {
    if let Some(folder) = env::var_os("VKV_LIB_DIR") {
        let folder = PathBuf::from(folder);
        if !folder.join(LIBRARY).exists() {
            return Err(format!("VKV_LIB_DIR is {}, where there is no {}", folder.display(), LIBRARY));
        }
        return absolute(&folder);
    }
    if let Some(folder) = from_pkg_config().or_else(from_source_tree) {
        return absolute(&folder);
    }
    Err(format!(
        "{} was not found. Set VKV_LIB_DIR to the folder that holds it, or install libvkv so that `pkg-config vkv` \
         finds it, or build it in the source tree: cmake --preset dev && cmake --build --preset dev",
        LIBRARY
    ))
}

fn from_pkg_config() -> Option<PathBuf> {
    let output = Command::new("pkg-config").args(["--variable=libdir", "vkv"]).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    folder.join(LIBRARY).exists().then_some(folder)
}

fn from_source_tree() -> Option<PathBuf> {
    let root = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).join("../../..");
    let builds = ["build/dev", "build/release", "build"];
    builds.iter().map(|build| root.join(build)).find(|folder| folder.join(LIBRARY).exists())
}

fn absolute(folder: &Path) -> Result<PathBuf, String> {
    folder.canonicalize().map_err(|error| format!("{}: {}", folder.display(), error))
}

/// A folder in the target directory with links to the library under the names that linkers and loaders look for.
fn mirror(folder: &Path) -> PathBuf {
    let mirror = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let soname = format!("{}.{}", LIBRARY, env!("CARGO_PKG_VERSION_MAJOR"));
    for name in [LIBRARY, &soname] {
        let link = mirror.join(name);
        let _ = fs::remove_file(&link); // of an earlier build
        std::os::unix::fs::symlink(folder.join(name), &link)
            .unwrap_or_else(|error| panic!("{}: {}", link.display(), error));
    }
    mirror
}
