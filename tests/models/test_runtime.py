from __future__ import annotations

import threading

import numpy as np
import pytest
from onnx import TensorProto, helper, load_from_string
from onnx.reference import ReferenceEvaluator

from posebot.core.errors import InputError, PosebotError
from posebot.models import runtime
from posebot.models.runtime import Network, available, bare_runner, choose
from posebot.models.runtimes import RUNTIMES, openvino
from posebot.models.runtimes.openvino import has_bfloat16

HERE = [name for name in ("openvino", "onnxruntime") if name in available()]


def adder() -> bytes:
    """sum = a + b and twice = 2 a, on float32 (n, 3)."""
    a, b, total, twice = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3])
                          for name in ("a", "b", "sum", "twice"))
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Add", ["a", "a"], ["twice"])]
    model = helper.make_model(helper.make_graph(nodes, "adder", [a, b], [total, twice]),
                              opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


@pytest.mark.parametrize("name", HERE)
def test_runs_by_name_with_any_batch(name):
    network = Network(adder(), name, threads=1)
    assert set(network.outputs) == {"sum", "twice"}
    for batch in (1, 4, 7, 13):
        a = np.arange(3 * batch, dtype=np.float32).reshape(batch, 3)
        result = network({"b": np.ones_like(a), "a": a})
        np.testing.assert_array_equal(result["sum"], a + 1)
        np.testing.assert_array_equal(result["twice"], 2 * a)


@pytest.mark.parametrize("name", HERE)
def test_results_are_not_overwritten_by_the_next_call(name):
    network = Network(adder(), name)
    first = network({"a": np.ones((1, 3), np.float32), "b": np.ones((1, 3), np.float32)})["sum"]
    network({"a": np.zeros((1, 3), np.float32), "b": np.zeros((1, 3), np.float32)})
    np.testing.assert_array_equal(first, 2)


@pytest.mark.parametrize("name", HERE)
def test_may_be_called_from_several_threads(name):
    network, wrong = Network(adder(), name, threads=1), []

    def call(value: float) -> None:
        a = np.full((2, 3), value, np.float32)
        sums = [network({"a": a, "b": a})["sum"] for _ in range(50)]
        wrong.extend(total for total in sums if (total != 2 * value).any())

    threads = [threading.Thread(target=call, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_reads_a_file(tmp_path):
    (tmp_path / "adder.onnx").write_bytes(adder())
    assert Network(tmp_path / "adder.onnx").runtime in available()


@pytest.mark.parametrize("name", HERE)
def test_garbage_is_an_input_error(name):
    with pytest.raises(InputError, match=r"detector\.onnx: .*cannot load it"):
        Network(b"not a network", name, name="detector.onnx")


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Network(tmp_path / "none.onnx")


@pytest.mark.parametrize("name", HERE)
def test_a_wrong_shape_is_one_clear_error(name):
    with pytest.raises(PosebotError, match="failed to run"):
        Network(adder(), name)({"a": np.ones((1, 4), np.float32), "b": np.ones((1, 3), np.float32)})


def test_environment_chooses(monkeypatch):
    monkeypatch.setenv(runtime.ENVIRONMENT, "onnxruntime")
    assert choose() == "onnxruntime"
    assert choose("openvino") == "openvino"


def test_unknown_and_absent_runtimes(monkeypatch):
    with pytest.raises(InputError, match="not known"):
        choose("tensorrt")
    monkeypatch.setattr(openvino, "find_spec", lambda name: None)
    assert available() == ["onnxruntime"] and choose("auto") == "onnxruntime"
    with pytest.raises(InputError, match="'openvino' is not available here: openvino is not installed; pip install"):
        choose("openvino")
    monkeypatch.setattr(runtime, "available", list)
    with pytest.raises(InputError, match="neither"):
        choose("auto")


@pytest.mark.parametrize("name", HERE)
def test_bare_runner_takes_the_same_inputs(name):
    bare_runner(adder(), name, threads=1)({"a": np.ones((1, 3), np.float32), "b": np.ones((1, 3), np.float32)})


@pytest.mark.skipif("openvino" not in HERE, reason="OpenVINO alone keeps memory for every batch size")
def test_openvino_meets_few_batch_sizes(monkeypatch):
    met = []
    piece = openvino._OpenVinoBackend._piece

    def noted(self, inputs):
        met.append(len(inputs["a"]))
        return piece(self, inputs)

    monkeypatch.setattr(openvino._OpenVinoBackend, "_piece", noted)
    network = Network(adder(), "openvino")
    for batch in range(1, 40):
        a = np.random.default_rng(batch).normal(size=(batch, 3)).astype(np.float32)
        np.testing.assert_array_equal(network({"a": a, "b": a})["sum"], 2 * a)
    assert set(met) == {1, 2, 3, 4, 8}


@pytest.mark.skipif(not has_bfloat16(), reason="no processor with bfloat16, or no OpenVINO")
def test_bfloat16_is_taken_when_asked_for_and_rounds():
    assert choose("openvino-bf16") == "openvino-bf16"
    assert "openvino-bf16" not in available()
    a = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    found = Network(adder(), "openvino-bf16")({"a": a, "b": a})["sum"]
    np.testing.assert_allclose(found, 2 * a, rtol=0.02)


@pytest.mark.skipif("openvino" not in HERE, reason="no OpenVINO")
def test_bfloat16_is_refused_where_the_processor_has_none(monkeypatch):
    monkeypatch.setattr(openvino, "has_bfloat16", lambda: False)
    with pytest.raises(InputError, match=r"does not multiply 16-bit numbers.*AVX512-BF16"):
        choose("openvino-bf16")


@pytest.mark.parametrize("name", HERE)
def test_inputs_of_different_lengths_are_refused(name):
    with pytest.raises(PosebotError):
        Network(adder(), name)({"a": np.ones((3, 3), np.float32), "b": np.ones((5, 3), np.float32)})


class ReferenceRuntime:
    """A further runtime, as an extension: the reference implementation of the package onnx."""

    automatic = False

    def problem(self):
        return ""

    def load(self, data, threads):
        return ReferenceBackend(data)


class ReferenceBackend:
    def __init__(self, data):
        self._evaluator = ReferenceEvaluator(load_from_string(data))
        self.outputs = list(self._evaluator.output_names)

    def run(self, inputs):
        return self._evaluator.run(None, inputs)

    bare = run


def test_a_further_runtime_is_one_class_and_one_entry(monkeypatch):
    monkeypatch.setitem(RUNTIMES, "reference", f"{__name__}:ReferenceRuntime")
    assert "reference" not in available() and "reference" in available(automatic=False)
    a = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    network = Network(adder(), "reference")
    np.testing.assert_array_equal(network({"a": a, "b": a})["sum"], Network(adder())({"a": a, "b": a})["sum"])
    with pytest.raises(InputError, match="reference cannot load it"):
        Network(b"not a network", "reference")
    with pytest.raises(PosebotError, match="reference failed to run"):
        network({"a": a})
