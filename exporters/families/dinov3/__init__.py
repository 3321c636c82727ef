"""DINOv3 vision transformers (arXiv:2508.10104), which map an image to vectors."""
