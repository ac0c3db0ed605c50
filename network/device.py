"""The processor that TensorFlow computes on."""

import contextlib
import os
import platform

import tensorflow as tf


def prepare_device() -> str:
    """In words, the GPU with its memory taken as it is needed, or the CPU with its number of cores."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # TensorFlow has begun to use it: it stays as it is
            tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return f"CPU ({platform.machine()}, {os.cpu_count()} cores)"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return f"GPU ({', '.join(names)}; memory is taken as it is needed)"
