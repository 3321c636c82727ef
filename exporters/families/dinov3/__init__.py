"""DINOv3 vision transformers (arXiv:2508.10104): an image becomes vectors."""
