"""The Open Inference Protocol, version 2: tensors in and out, for clients of KServe and Triton.

https://github.com/kserve/open-inference-protocol (`inference_rest.yaml`), with the extension for
binary tensors: https://github.com/triton-inference-server/server (`extension_binary_data.md`).
Everything is pure but `routes`, which stands over a port: `model`.
"""
