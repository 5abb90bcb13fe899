"""Finds and loads libvkv: the file that VKV_LIBRARY names, else the one in this package, else the system's.

ctypes.CDLL lets other Python threads run while a call is inside the library.
"""
import ctypes
import os
import pathlib

from . import _abi

NAME = f"libvkv.so.{_abi.VERSION_MAJOR}"


def _path() -> str:
    named = os.environ.get("VKV_LIBRARY")
    if named:
        return named
    bundled = pathlib.Path(__file__).with_name(NAME)
    return str(bundled) if bundled.exists() else NAME


def _load(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"libvkv cannot be loaded: {error}. Set VKV_LIBRARY to a libvkv.so, or reinstall the "
                          "package") from error
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            version = f"{_abi.VERSION_MAJOR}.{_abi.VERSION_MINOR}"
            raise ImportError(f"{path} has no {name}: it is not libvkv {version} or later") from None
        function.restype, function.argtypes = result, arguments
    major = library.vkv_version() // 1_000_000
    if major != _abi.VERSION_MAJOR:
        raise ImportError(f"{path} is libvkv {major}, this package needs libvkv {_abi.VERSION_MAJOR}")
    return library


path = _path()
lib = _load(path)


def version() -> str:
    """Version of the loaded library, such as "1.0.0"."""
    number = lib.vkv_version()
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def build_info() -> str:
    """One line about the loaded library: version, backends, GPU architectures, toolkit, compiler."""
    return lib.vkv_build_info().decode()
