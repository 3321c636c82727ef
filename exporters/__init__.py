"""Model exporters: each folder here is one model family, each target in BUILD one ONNX artifact."""
