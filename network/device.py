"""The processor that TensorFlow computes on."""

import contextlib
import os
import platform
from pathlib import Path

import tensorflow as tf

import constants

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and of ARM


def describe_device(precision: str = "float32") -> str:
    """In words, the GPU, or the CPU with its number of cores and that it has no arithmetic of that precision."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        lacks = precision == "bfloat16" and has_bfloat16() is False
        note = "; it has no bfloat16 arithmetic: nothing is gained by --precision=bfloat16" * lacks
        return f"CPU ({platform.machine()}, {os.cpu_count()} cores{note})"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return f"GPU ({', '.join(names)}; --batch_size={constants.AUTO} finds how many images at once it likes)"


def has_bfloat16() -> bool | None:
    """Whether the CPU multiplies bfloat16 numbers itself; None where the system does not tell."""
    with contextlib.suppress(OSError):
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
        flags = [line.partition(":")[2].split() for line in lines if line.lower().startswith(("flags", "features"))]
        return bool(flags) and not BFLOAT16_FLAGS.isdisjoint(flags[0])
    return None
