"""Builds libvkv with CMake and puts it into the package.

VKV_PREBUILT=/path/to/libvkv.so bundles that file instead of building one. CMAKE_ARGS are passed on to CMake, such as
-DVKV_CUDA=OFF or -DCMAKE_CUDA_ARCHITECTURES=90a-real. Where nvcc is present the library has CUDA, for the GPU
architectures of the release preset.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY_SOURCES = ["CMakeLists.txt", "CMakePresets.json", "LICENSE", "cmake", "include", "src"]


def library_root():
    """The library's source tree: this repository, or its copy in a source distribution."""
    for root in (HERE / "libvkv", HERE.parent.parent):
        if (root / "include" / "vkv.h").exists() and (root / "CMakeLists.txt").exists():
            return root
    sys.exit("vkv: the sources of libvkv are not here. Install from a whole checkout (pip install ./bindings/python), "
             "whose CMakeLists.txt is two folders up, or from a source distribution.")


def header_version():
    header = (library_root() / "include" / "vkv.h").read_text()
    return ".".join(re.search(rf"#define VKV_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))


def build_library(build):
    """Configures and builds in the folder `build`; returns the library's path."""
    env = dict(os.environ)
    if shutil.which("nvcc") is None and pathlib.Path("/usr/local/cuda/bin/nvcc").exists():
        env["PATH"] += ":/usr/local/cuda/bin"  # the toolkit's usual place is seldom on PATH
    root = library_root()
    configure = ["cmake", "--preset", "release", "-S", str(root), "-B", str(build), "-DVKV_TESTS=OFF",
                 "-DVKV_TOOLS=OFF", "-DVKV_WERROR=OFF"] + shlex.split(env.get("CMAKE_ARGS", ""))
    subprocess.run(configure, check=True, cwd=root, env=env)
    subprocess.run(["cmake", "--build", str(build), "--target", "vkv"], check=True, env=env)
    return build / "libvkv.so"


class BuildWithLibrary(build_py):
    def run(self):
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)  # what an earlier version left
        super().run()
        prebuilt = os.environ.get("VKV_PREBUILT")
        if prebuilt and not pathlib.Path(prebuilt).is_file():
            sys.exit(f"vkv: VKV_PREBUILT is {prebuilt}, which is no file")
        if prebuilt:
            library = pathlib.Path(prebuilt)
        else:
            build = pathlib.Path(self.get_finalized_command("build").build_temp).resolve() / "libvkv"
            library = build_library(build)
        package = HERE / "src" / "vkv" if self.editable_mode else pathlib.Path(self.build_lib) / "vkv"
        shutil.copyfile(library.resolve(), package / f"libvkv.so.{header_version().split('.')[0]}")


class SourceWithLibrary(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        for name in LIBRARY_SOURCES:
            source, target = library_root() / name, pathlib.Path(base_dir) / "libvkv" / name
            target.parent.mkdir(exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)


class AnyPython(bdist_wheel):
    """A shared library inside, but nothing that depends on the Python version."""

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return True


setup(version=header_version(), distclass=WithLibrary,
      cmdclass={"build_py": BuildWithLibrary, "sdist": SourceWithLibrary, "bdist_wheel": AnyPython})
