"""What a forecast is asked for, checked at the door."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from solvable.errors import OutsideDomain, check_choice, check_count, check_non_negative, check_positive

Model = Literal["linear", "relu", "diagonal", "quadratic", "attention", "deep-linear", "kernel"]
MODELS: tuple[Model, ...] = get_args(Model)
KernelName = Literal["rbf", "laplace", "relu-ntk", "linear"]
KERNELS: tuple[KernelName, ...] = get_args(KernelName)
# Units of degree 3 leave small weights after a time of 1/init_scale, not of its logarithm.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "quadratic": {"width": 100, "init_scale": 1e-2},
    "attention": {"width": 40, "init_scale": 1e-2},
    "kernel": {"test_share": 0.2},
}
# What only some models have; all others must leave it at its default.
_ONLY_FOR: dict[str, tuple[Model, ...]] = {
    "depth": ("deep-linear",),
    "components": ("deep-linear",),
    "whiten": ("deep-linear",),
    "label_noise": ("deep-linear", "kernel"),
    "test_share": ("deep-linear", "kernel"),
    "kernel": ("kernel",),
    "kernel_width": ("kernel",),
    "ridge": ("kernel",),
    **dict.fromkeys(("width", "init_scale", "learning_rate", "steps", "batch_size", "seeds"), MODELS[:-1]),
}

_WORDS = {"deep-linear": "deep linear networks", "kernel": "kernel regression"}


@dataclass(frozen=True)
class Settings:
    """The network and its training.

    Attributes
    ----------
    model
        ``"linear"``, ``"relu"`` or ``"quadratic"``: activation of the two-layer network, no biases; ``"diagonal"``: one
        unit an input, f(x) = sum_i u_i v_i x_i; ``"attention"``: linear attention heads of rank one, which learn
        regression in context on the inputs; ``"deep-linear"``: ``depth`` linear layers.
    width
        Number of hidden units; a diagonal network has as many as inputs.
    init_scale
        Standard deviation of the initial weights of both layers; a diagonal network starts at u_i = sqrt2 init_scale,
        v_i = 0.
    learning_rate
        On the half mean squared error (1/2P) sum |y - f(x)|^2.
    steps
        Gradient steps; None lets the forecast choose as many as its stages need.
    batch_size
        Samples a step; None trains on all the samples at once.
    train
        Whether to train too, and not only forecast.
    seeds
        How many networks to train, by one compiled call.
    seed
        Of everything random.
    context_length
        Examples in a sequence, for attention.
    depth
        Weight layers of a deep linear network, each with singular values ``init_scale`` along the modes of the data.
    components
        Leading principal components that inputs are reduced to, for deep linear networks; None keeps the inputs.
    whiten
        Whether inputs are centred and whitened, by the pseudo-inverse where they do not span their space; as above.
    label_noise
        Share of the labels that are replaced by another class; of targets, the standard deviation of what is added.
    test_share
        Share of the samples that are not trained on; the test error on them is forecast and measured. As above, and for
        kernel regression, where it is a fifth unless given and at most 2000 samples.
    kernel
        ``"rbf"``: exp(-|x - x'|^2/(2 width^2)); ``"laplace"``: exp(-|x - x'|/width); ``"relu-ntk"``: the tangent kernel
        of one hidden layer of ReLU units; ``"linear"``. Inputs are centred and of mean square length 1.
    kernel_width
        In these units, of rbf and laplace.
    ridge
        Of the sum over samples, sum (f(x) - y)^2 + ridge |f|^2; ``"auto"`` chooses it anew for each number of samples.

    Raises
    ------
    OutsideDomain
        A value without meaning; the message names it.

    References
    ----------
    zhang2026, App. I.
    """

    model: Model = "linear"
    width: int = 500
    init_scale: float = 1e-6
    learning_rate: float = 0.02
    steps: int | None = None
    batch_size: int | None = None
    train: bool = True
    seeds: int = 1
    seed: int = 0
    context_length: int = 31
    depth: int = 2
    components: int | None = None
    whiten: bool = False
    label_noise: float = 0.0
    test_share: float = 0.0
    kernel: KernelName = "rbf"
    kernel_width: float = 1.0
    ridge: float | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        check_choice("model", self.model, MODELS)
        check_count("width", self.width)
        check_positive("init_scale", self.init_scale, "weights that start at exactly 0 never move")
        check_positive("learning_rate", self.learning_rate)
        if self.steps is not None:
            check_count("steps", self.steps, at_least=10)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size)
        check_count("seeds", self.seeds)
        check_count("seed", self.seed, at_least=0)
        check_count("context_length", self.context_length)
        check_count("depth", self.depth)
        if self.components is not None:
            check_count("components", self.components)
        check_non_negative("label_noise", self.label_noise)
        if not 0 <= self.test_share < 1:
            raise OutsideDomain(f"`test_share` is {self.test_share}; it must be a share of the samples, below 1.")
        check_choice("kernel", self.kernel, KERNELS)
        check_positive("kernel_width", self.kernel_width)
        if self.ridge != "auto":
            _check_ridge(self.ridge)
        self._check_model()

    def _check_model(self) -> None:
        for name, models in _ONLY_FOR.items():
            if self.model in models:
                continue
            if getattr(self, name) != Settings.__dataclass_fields__[name].default:
                whose = " and ".join(_WORDS[model] for model in models) if len(models) < 3 else "networks"
                raise OutsideDomain(
                    f"`{name}` is for {whose}, and `model` is {self.model}; say another, or leave it out."
                )

    @property
    def start_strength(self) -> float:
        """Singular values of a deep linear map at the start; 0 for one layer, which needs none."""
        return self.init_scale**self.depth if self.depth > 1 else 0.0


def make_settings(given: Mapping[str, Any]) -> Settings:
    """Settings with the defaults of their model; None stands for a default.

    Parameters
    ----------
    given
        Some of the fields of ``Settings``.

    Raises
    ------
    OutsideDomain
        A name that is no setting, or a value without meaning.

    References
    ----------
    None.
    """
    known = list(Settings.__dataclass_fields__)
    for name in given:
        if name not in known:
            raise OutsideDomain(f"`{name}` is no setting of a forecast; the settings are: {', '.join(known)}.")
    told = {name: value for name, value in given.items() if value is not None}
    defaults = _DEFAULTS.get(str(told.get("model")), {})
    if told.get("model") == "deep-linear" and isinstance(told.get("depth", 2), int) and told.get("depth", 2) > 0:
        # The map starts at one in a million, whatever the depth.
        defaults = {"init_scale": 10 ** (-6 / told.get("depth", 2))}
    return Settings(**{**defaults, **told})


def read_ridge(text: str) -> float | str:
    """A ridge as typed: a number, or ``auto``.

    Parameters
    ----------
    text
        As typed.

    Raises
    ------
    OutsideDomain
        Neither.

    References
    ----------
    None.
    """
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise OutsideDomain(f"`--ridge {text}` is no number; write one of at least 0, or auto.") from None


def _check_ridge(ridge: Any) -> None:
    if isinstance(ridge, bool) or not isinstance(ridge, int | float):
        raise OutsideDomain(f"`ridge` is {ridge!r}; it must be a number of at least 0, or 'auto'.")
    check_non_negative("ridge", ridge)


def read_classes(text: str | None) -> tuple[Any, ...] | None:
    """Class labels from ``"3,5"``: whole numbers where they look like it, else words.

    Parameters
    ----------
    text
        As typed; None passes through.

    Raises
    ------
    OutsideDomain
        An empty label.

    References
    ----------
    None.
    """
    if text is None:
        return None
    labels = [part.strip() for part in text.split(",")]
    if not all(labels):
        raise OutsideDomain(f"`--classes {text}` has an empty label; write labels with commas, such as --classes 3,5.")
    if all(label.lstrip("-").isdigit() for label in labels):
        return tuple(int(label) for label in labels)
    return tuple(labels)
