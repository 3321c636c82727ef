"""The side files of a checkpoint: everything beside its tensors that programs read with them.

They are the files of tokenizers, chat templates and image processors, the modules of
sentence-transformers, the licence and the model card. They are carried along unchanged.
"""

CARD = ("README.md", "LICENSE", "LICENSE.md", "LICENSE.txt")
TEXT = ("vocab.txt", "merges.txt", "*.jinja", "*.model")
MODULES = ("[0-9]_*/*.json",)
"""Folders such as ``1_Pooling``, which sentence-transformers names in its modules.json."""

SIDE_FILES = ("*.json", *TEXT, *CARD, *MODULES)
"""Patterns of side files, as paths relative to the folder of the checkpoint."""

CHECKPOINT_FILES = ("*.safetensors", *SIDE_FILES)
"""Patterns of all files of a checkpoint. An index of shards is a JSON file too."""
