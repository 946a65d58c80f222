"""ONNX's own checker, strict shape inference and reference evaluator on a model: outputs of the evaluator as JSON.

    onnx_check.py MODEL.onnx OBJECTS.json [--no-evaluator]    OBJECTS: [events][slots][4]

The evaluator has no QuantizeLinear and DequantizeLinear of opset 17.
"""
import json
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
if '--no-evaluator' in sys.argv:
    print('{}')
    sys.exit()
with open(sys.argv[2]) as file:
    objects = np.array(json.load(file), np.float32)
names = [output.name for output in model.graph.output]
outputs = ReferenceEvaluator(model).run(None, {'objects': objects})
print(json.dumps({name: np.asarray(value, np.float64).ravel().tolist() for name, value in zip(names, outputs)}))
