"""GPT-OSS: a mixture-of-experts language model with attention sinks and sliding windows."""
