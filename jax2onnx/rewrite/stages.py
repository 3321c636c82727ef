"""The rules, in the order in which they are tried.

Each stage is one sweep over the graph, so that its rules find what the stages before it made.
"""

from jax2onnx.rewrite.engine.sweep import Entry, Stage

_SOFTMAX = Entry("attention.softmax", ("Exp",))
_TRANSPOSE = Entry("views.transpose", ("Transpose",))
_VIEW = Entry("views.view", ("Reshape", "Squeeze", "Unsqueeze"))
_STORED = Entry("views.stored_order", ("Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"))
_VIEW_AFTER = Entry("views.view_after", ("Reshape", "Squeeze", "Unsqueeze"))

STAGES: tuple[Stage, ...] = (
    Stage(
        "loop invariants",
        "First, so that an expression that straddles the border of a loop is seen as a whole.",
        (Entry("loops.loop_invariant", ("Loop", "Scan")),),
    ),
    Stage(
        "primitives",
        "Activations and pools are recognised by the primitives and constants that lowering left. "
        "The stages that follow would simplify parts of them away.",
        (
            Entry("activations.selu", ("expm1",)),
            Entry("activations.elu", ("expm1",)),
            Entry("activations.celu", ("expm1",)),
            Entry("activations.mish", ("log1p",), min_opset=18, option="readable"),
            Entry("activations.softplus", ("log1p",), option="readable"),
            Entry("activations.leaky_relu", ("GreaterOrEqual", "Greater")),
            Entry("activations.prelu", ("GreaterOrEqual", "Greater")),
            Entry("activations.hard_swish", ("Clip", "Min"), min_opset=14),
            Entry("activations.hard_sigmoid", ("Clip", "Min")),
            Entry("activations.clip", ("Less", "Min")),
            Entry("activations.softsign", ("Abs",)),
            Entry("arithmetic.floor_division", ("Mod",)),
            Entry("activations.swish", ("Sigmoid",), min_opset=24, max_opset=24, option="readable"),
            Entry("activations.gelu", ("erfc", "Erf", "Tanh"), min_opset=20),
            Entry("indexing.one_hot", ("Equal",), option="readable"),
            Entry("pools.max_pool", ("reduce_window_max",)),
            Entry("pools.average_pool", ("reduce_window_sum",), option="readable"),
        ),
    ),
    Stage(
        "simplifications",
        "Neutral operations, known choices and separate axes of reductions are out of the way "
        "before the larger patterns look for their parts.",
        (
            Entry("images.depth_to_space", ("Transpose",)),
            Entry("images.resize", ("Gather",)),
            Entry("indexing.gather", ("Gather",)),
            Entry("arithmetic.known_choice", ("Where",)),
            Entry("arithmetic.neutral", ("Add", "And", "Div", "Mul", "Or", "Sub")),
            Entry("arithmetic.reduce_mean", ("Div", "Unsqueeze")),
            _TRANSPOSE,
        ),
    ),
    Stage(
        "normalisations",
        "They are made of the means that the stage before made, and Attention needs the Softmax.",
        (
            Entry("views.expand", ("Expand",)),
            Entry("norms.batch_normalization", ("Sqrt",)),
            Entry("norms.group_normalization", ("Sqrt",), option="norms"),
            Entry("norms.layer_normalization", ("Sqrt",), min_opset=17, option="norms"),
            Entry("norms.rms_normalization", ("Sqrt",), min_opset=23, option="norms"),
            _SOFTMAX,
            Entry("arithmetic.reduce_log_sum_exp", ("Exp",), option="readable"),
            Entry("views.split", ("Slice",)),
            Entry("views.stack", ("Concat",)),
        ),
    ),
    Stage(
        "views move down",
        "A normalisation is one operator by now, so that a view can meet the next one behind it. "
        "Cuts move up, as long as the views of their parts are where they were made.",
        (Entry("views.cut_first", ("Gather", "Split")), _VIEW_AFTER),
    ),
    Stage(
        "views meet", "Views that came to lie behind each other become one.", (_TRANSPOSE, _VIEW)
    ),
    Stage(
        "views move down again",
        "A view that took in another one may pass operators that it could not pass before.",
        (_VIEW_AFTER,),
    ),
    Stage("views meet again", "The views that were moved become one.", (_TRANSPOSE, _VIEW)),
    Stage(
        "products",
        "Both look through the views that are left, and a transposed product leaves a Transpose.",
        (
            Entry("products.transposed_product", ("MatMul",)),
            Entry("attention.rotary_embedding", ("Concat",), min_opset=23),
            _TRANSPOSE,
        ),
    ),
    Stage(
        "attention",
        "The queries and keys of Attention may be rotated, and its products are in order by now.",
        (
            Entry("attention.attention", ("Softmax",), min_opset=23),
            Entry("activations.relu", ("Max",)),
            Entry("pools.global_average_pool", ("ReduceMean",), option="readable"),
        ),
    ),
    Stage(
        "views of heads",
        "Attention reads heads side by side, in front of which lie the biases of single heads.",
        (_VIEW_AFTER,),
    ),
    Stage(
        "layout",
        "All operators are known that permutations can be carried through.",
        (Entry("views.layout", ("Transpose",)),),
    ),
    Stage(
        "permutations meet",
        "Those that were carried become one, and padding stands beside its convolution.",
        (_TRANSPOSE, _VIEW, Entry("images.conv_pads", ("Conv",))),
    ),
    Stage(
        "biases and recurrences",
        "Biases stand beside their products now. A Softmax that Attention left may be one here.",
        (
            Entry("images.conv_bias", ("Conv", "ConvTranspose")),
            Entry("recurrent.gru", ("Scan",)),
            Entry("recurrent.lstm", ("Scan",)),
            Entry("recurrent.rnn", ("Scan",)),
            _SOFTMAX,
            Entry("products.linear", ("MatMul",)),
        ),
    ),
    Stage("views of Gemm", "Gemm takes matrices only, so that views were made.", (_VIEW_AFTER,)),
    Stage(
        "stored order",
        "No other rule reads or writes a permutation or a view of a parameter after this.",
        (_TRANSPOSE, _STORED, _VIEW),
    ),
    Stage(
        "batch norms in weights",
        "Last, as it changes weights: each kernel must be in its final order.",
        (Entry("norms.folded_batch_norm", ("BatchNormalization",), option="fold_batch_norm"),),
    ),
)
"""The stages, in order."""
