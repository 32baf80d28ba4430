"""Messages and services of `.proto` files, by protoc."""

import importlib
import pathlib
import sys
import tempfile

import google.api
from grpc_tools import protoc

# The folder that holds google/api.
COMMON = pathlib.Path(next(iter(google.api.__path__))).parents[1]


def compiled(folders, names, descriptors=None):
    """The modules that protoc makes of files, two for each, in the order of their names; and, if it is
    asked for, a file with the descriptors of all that they import."""
    out = tempfile.mkdtemp()
    folders = [*folders, COMMON, pathlib.Path(protoc.__file__).parent / "_proto"]
    arguments = ["protoc", *(f"-I{folder}" for folder in folders), f"--python_out={out}", f"--grpc_python_out={out}"]
    if descriptors:
        arguments += ["--include_imports", f"--descriptor_set_out={descriptors}"]
    if protoc.main([*arguments, *names]) != 0:
        sys.exit("protoc failed")
    sys.path.insert(0, out)
    stems = [name.removesuffix(".proto") for name in names]
    return [importlib.import_module(f"{stem}_pb2{kind}") for stem in stems for kind in ("", "_grpc")]
