"""The build backend: setuptools, with cmake fetched only where the machine has none."""
import os
import shutil

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F401,F403


def _tools():
    if os.environ.get("VKV_PREBUILT"):
        return []
    return [tool for tool in ("cmake", "ninja") if shutil.which(tool) is None]


def get_requires_for_build_wheel(config_settings=None):
    return build_meta.get_requires_for_build_wheel(config_settings) + _tools()


def get_requires_for_build_editable(config_settings=None):
    return build_meta.get_requires_for_build_editable(config_settings) + _tools()
