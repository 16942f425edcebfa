"""ONNX operators that are not read, by the reason why, and the remedy that fits each."""

from __future__ import annotations

from ..refusals import CURVED, REWRITE
from ..symbolic.values import words

SMOOTH = words(
    "Sigmoid Tanh Softmax LogSoftmax Softplus Softsign Elu Selu Celu Gelu Mish Swish HardSwish "
    "SwiGLU Erf Exp Log Sqrt Reciprocal Pow Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh "
    "LayerNormalization InstanceNormalization GroupNormalization RMSNormalization "
    "LpNormalization MeanVarianceNormalization LRN Attention LinearAttention CausalConvWithState "
    "ReduceL2 ReduceProd ReduceSumSquare ReduceLogSum ReduceLogSumExp LSTM GRU RNN Det CumProd "
    "DeformConv RotaryEmbedding NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss STFT DFT"
)
JUMPS = words(
    "Sign Floor Ceil Round Greater Less GreaterOrEqual LessOrEqual Equal ArgMax ArgMin TopK Mod "
    "Not And Or Xor Hardmax IsNaN IsInf NonZero OneHot Unique BitShift BitwiseAnd BitwiseNot "
    "BitwiseOr BitwiseXor BitCast MaxUnpool NonMaxSuppression Range ConstantOfShape"
)
ROUNDS = words(
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear QLinearConv QLinearMatMul ConvInteger "
    "MatMulInteger"
)
RANDOM = words(
    "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial"
)
CONTROL = words("Loop Scan SequenceMap")
SEQUENCES = words(
    "SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength "
    "SplitToSequence ConcatFromSequence Optional OptionalGetElement OptionalHasElement"
)
STRINGS = words(
    "StringConcat StringNormalizer StringSplit RegexFullMatch TfIdfVectorizer ImageDecoder"
)
OTHERS = words(  # linear or piecewise linear, some of them, but not read
    "AffineGrid BlackmanWindow HammingWindow HannWindow MelWeightMatrix Col2Im GridSample "
    "MaxRoiPool RoiAlign TensorScatter"
)
# of constants they round in the type that they are stored in, which is noted
ROUNDING = words(
    "Add Sub Mul Div MatMul Gemm Sum Mean Pow Sqrt Exp Reciprocal Sigmoid Tanh DequantizeLinear "
    "Conv ReduceSum ReduceMean Einsum CumSum"
)
FOLD = "fold constants first (onnxsim, or onnxruntime's basic optimisation)"


def reason(op: str) -> str:
    """Why an operator on a value that depends on the input is not read, and the remedy."""
    if op in SMOOTH:
        return f"{op} is not piecewise linear; {CURVED}"
    if op in ROUNDS:
        return (
            f"{op} rounds, which is not a continuous piecewise-linear function; give the model "
            "before its activations were quantised (quantised weights are read)"
        )
    if op in JUMPS:
        return (
            f"{op} is not a continuous piecewise-linear function; cut the model before it, or "
            "write a choice with Max or Min"
        )
    if op in RANDOM:
        return "random numbers are not supported; export the model for inference"
    if op in CONTROL:
        return f"control flow is not supported; unroll it, or {FOLD}"
    if op in SEQUENCES:
        return f"sequences and optional values are not supported; {FOLD}, or use Split and Concat"
    if op in STRINGS:
        return "texts and images in files are not supported; cut the model behind it"
    return f"not supported yet; {REWRITE}"
