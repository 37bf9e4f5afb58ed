"""The module in wasmtime: its imports, its callbacks, its memory."""

import ctypes
import functools
import pathlib

import wasmtime

WASI = "wasi_snapshot_preview1"
OK = 0


class Trap(Exception):
    """The module, or a host call that it made, ended in a trap."""


class Unloadable(Exception):
    """A host would not serve with this module."""


@functools.cache
def _engine():
    config = wasmtime.Config()
    # What Kong's wasmtime, 26, does not have on by itself.
    config.wasm_threads = False
    config.wasm_memory64 = False
    return wasmtime.Engine(config)


@functools.cache
def _module(path, changed):
    return wasmtime.Module.from_file(_engine(), path)


def module(path):
    """The compiled module; compiled again when the file has changed."""
    return _module(str(path), pathlib.Path(path).stat().st_mtime_ns)


class Vm:
    """One instance. `calls` has the host's functions by name, `wasi` those of WASI that are the host's
    own; each gets the numbers that the module gave, unsigned, and answers with a status.

    What the module allocates for the host is never more than it asked for.
    """

    def __init__(self, path, calls, wasi):
        compiled = module(path)
        self._store = wasmtime.Store(_engine())
        linker = wasmtime.Linker(_engine())
        known = {"env": calls, WASI: {**self._wasi(), **wasi}}
        for wanted in compiled.imports:
            function = known.get(wanted.module, {}).get(wanted.name)
            if function is None:
                raise Unloadable(f"unknown import {wanted.module}.{wanted.name}")
            linker.define_func(wanted.module, wanted.name, wanted.type, _unsigned(function))
        self.imports = {wanted.name for wanted in compiled.imports}
        instance = linker.instantiate(self._store, compiled)
        self._exports = {export.name: instance.exports(self._store)[export.name] for export in compiled.exports}
        self._memory = self._exports["memory"]
        self.stderr = b""
        self.call("_initialize")

    def exports(self, name):
        return name in self._exports

    def call(self, name, *arguments):
        """A callback's answer; None if the module has no such callback.

        Raises Trap.
        """
        function = self._exports.get(name)
        if function is None:
            return None
        try:
            return function(self._store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise Trap(str(error)) from error

    def read(self, address, size):
        self._check(address, size)
        return ctypes.string_at(self._base() + address, size)

    def write(self, address, data):
        self._check(address, len(data))
        ctypes.memmove(self._base() + address, data, len(data))

    def write_number(self, address, number, size=4):
        self.write(address, number.to_bytes(size, "little"))

    def give(self, data, address, size_address):
        """Hands data over: memory of the module's own, its address and size where it wants them."""
        memory = self.call("proxy_on_memory_allocate", len(data)) & 0xFFFFFFFF
        if memory == 0 and data:
            raise Trap("the module has no memory")
        if data:
            self.write(memory, data)
        self.write_number(address, memory)
        self.write_number(size_address, len(data))

    def memory_bytes(self):
        return self._memory.data_len(self._store)

    def _base(self):
        return ctypes.addressof(self._memory.data_ptr(self._store).contents)

    def _check(self, address, size):
        if address + size > self._memory.data_len(self._store):
            raise Trap(f"the host was given memory that is not there: {address} + {size}")

    def _wasi(self):
        """The little that a module for wasm32-wasip1 may ask for besides."""

        def fd_write(_descriptor, vectors, count, written):
            size = 0
            for index in range(count):
                vector = self.read(vectors + 8 * index, 8)
                address, length = (int.from_bytes(vector[at : at + 4], "little") for at in (0, 4))
                self.stderr += self.read(address, length)
                size += length
            self.write_number(written, size)
            return OK

        def environ_sizes_get(count, size):
            self.write_number(count, 0)
            self.write_number(size, 0)
            return OK

        def proc_exit(status):
            raise Trap(f"proc_exit({status})")

        return {
            "fd_write": fd_write,
            "environ_sizes_get": environ_sizes_get,
            "environ_get": lambda *_: OK,
            "proc_exit": proc_exit,
        }


def _unsigned(function):
    return lambda *arguments: function(*(argument & 0xFFFFFFFF for argument in arguments))
