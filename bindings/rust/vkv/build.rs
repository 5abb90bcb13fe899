//! Lets this crate's tests and examples find libvkv when they are started by themselves. Under cargo any program finds
//! it; to do the same for programs of another crate, depend on `vkv-sys` there and print the same lines.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_VKV_LIB_DIR") {
        println!("cargo:rustc-link-arg-tests=-Wl,-rpath,{}", folder);
        println!("cargo:rustc-link-arg-examples=-Wl,-rpath,{}", folder);
    }
}
