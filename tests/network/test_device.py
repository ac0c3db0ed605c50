"""What TensorFlow computes on, in words."""

import os

import pytest
import tensorflow as tf

from network import device


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("processor : 0\nflags\t\t: fpu avx512_bf16 sse\n", True),
        ("flags : fpu avx2\n", False),
        ("Features : fp asimd bf16\n", True),
    ],
)
def test_the_flags_of_the_processor_tell_whether_it_has_bfloat16(text, has, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "CPU_INFO", tmp_path / "cpuinfo")
    assert device.has_bfloat16() is None
    (tmp_path / "cpuinfo").write_text(text)
    assert device.has_bfloat16() is has


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="the words are of a CPU")
@pytest.mark.parametrize(
    ("precision", "has", "said"),
    [("bfloat16", False, True), ("bfloat16", True, False), ("bfloat16", None, False), ("float32", False, False)],
)
def test_a_processor_without_bfloat16_is_told_where_it_is_asked_for(precision, has, said, monkeypatch):
    monkeypatch.setattr(device, "has_bfloat16", lambda: has)
    assert ("no bfloat16 arithmetic" in device.describe_device(precision)) is said


def test_a_gpu_is_named(monkeypatch):
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [gpu])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: {"device_name": "Model T"})
    assert device.describe_device() == "GPU (Model T; --batch_size=auto finds how many images at once it likes)"


def test_commands_compute_in_full_float32_on_a_gpu_too():
    assert not tf.config.experimental.tensor_float_32_execution_enabled(), "tests load TensorFlow as commands do"
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
