"""Drives a server with the stock tritonclient: argv is its address (host:port), name of the model and an npz-free JSON
file with {"objects": [events][slots][4], "score": [...], "size": n}. Prints one line of JSON; fails by exception."""
import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address, model, file = sys.argv[1:4]
with open(file, encoding="utf-8") as given:
    expected = json.load(given)
objects = np.array(expected["objects"], dtype=np.float32)
scores = np.array(expected["score"], dtype=np.float32)
events = len(objects)
client = http.InferenceServerClient(address, concurrency=4)


def asked(name, binary):
    return http.InferRequestedOutput(name, binary_data=binary)


def infer(events=objects, binary=True, **options):
    tensor = http.InferInput("objects", list(events.shape), "FP32")
    tensor.set_data_from_numpy(events, binary_data=binary)
    return client.infer(model, [tensor], **options)


def refused(call):
    try:
        call()
    except InferenceServerException as error:
        return error
    raise AssertionError("was not refused")


def same(result):
    np.testing.assert_allclose(result.as_numpy("score"), scores, rtol=1e-4)


assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
version = client.get_model_metadata(model)["versions"][-1]
assert client.is_model_ready(model, version)
assert not client.is_model_ready("another")
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
assert client.get_model_metadata(model)["inputs"] == [
    {"name": "objects", "datatype": "FP32", "shape": [-1, -1, 4]}
]
assert client.get_model_config(model)["output"][0]["data_type"] == "TYPE_FP32"
assert client.get_model_repository_index()[0]["state"] == "READY"

result = infer(request_id="a request")
same(result)
assert result.get_response()["id"] == "a request"
assert result.as_numpy("representation").shape == (events, expected["size"])
assert result.as_numpy("in_domain").dtype == np.bool_ and result.as_numpy("in_domain").shape == (events,)
assert result.as_numpy("crossed").dtype == np.int32 and result.as_numpy("crossed").shape == (events, 5, 4)
assert result.as_numpy("domain_distance").shape == (events,)

for sent in (True, False):
    for got in (True, False):
        result = infer(binary=sent, outputs=[asked("in_domain", got), asked("score", got)])
        same(result)
        assert [output["name"] for output in result.get_response()["outputs"]] == ["in_domain", "score"]
        assert result.as_numpy("in_domain").dtype == np.bool_
for packed in ("gzip", "deflate"):
    for binary in (True, False):
        same(
            infer(
                binary=binary,
                request_compression_algorithm=packed,
                response_compression_algorithm=packed,
            )
        )
same(infer(outputs=[asked("score", True), asked("crossed", False)], model_version=version))

tensors = []
for event in objects:
    tensor = http.InferInput("objects", [1, *event.shape], "FP32")
    tensor.set_data_from_numpy(event[np.newaxis])
    tensors.append(client.async_infer(model, [tensor]))
one_by_one = np.concatenate([waiting.get_result().as_numpy("score") for waiting in tensors])
np.testing.assert_allclose(one_by_one, scores, rtol=1e-4)

broken = objects.copy()
broken[1, 0, 0] = np.nan
error = refused(lambda: infer(broken))
assert error.status() == "400" and "event 1, slot 0: pt is NaN" in error.message(), error
double = http.InferInput("objects", list(objects.shape), "FP64")
double.set_data_from_numpy(objects.astype(np.float64))
error = refused(lambda: client.infer(model, [double]))
assert error.status() == "400" and "FP64" in error.message(), error
assert refused(lambda: client.unload_model(model)).status() == "400"

client.load_model(model)
assert client.get_model_metadata(model)["versions"] == [str(int(version) + 1)]
same(infer())
statistics = client.get_inference_statistics(model)["model_stats"][0]
assert statistics["inference_count"] == events and statistics["inference_stats"]["success"]["count"] == 1, statistics
assert client.get_inference_statistics()["model_stats"][0]["name"] == model
print(json.dumps({"events": events, "version": version}))
