"""Training neural networks by hand: the library behind the lessons.

Every name below loads its module when it is first used, so that `import course_lib` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batchnorm import BatchNorm1d as BatchNorm1d
    from .clipping import clip_grad_norm as clip_grad_norm
    from .clipping import clip_grad_value as clip_grad_value
    from .dropout import Dropout as Dropout
    from .early_stopping import EarlyStopping as EarlyStopping
    from .gradcheck import check_model as check_model
    from .gradcheck import gradient_check as gradient_check
    from .graph import Value as Value
    from .layers import Linear as Linear
    from .layers import ReLU as ReLU
    from .layers import Sigmoid as Sigmoid
    from .layers import Tanh as Tanh
    from .losses import accuracy as accuracy
    from .losses import softmax_cross_entropy as softmax_cross_entropy
    from .losses import squared_error as squared_error
    from .modern_optimizers import Lion as Lion
    from .modern_optimizers import Muon as Muon
    from .modern_optimizers import ScheduleFreeSGD as ScheduleFreeSGD
    from .network import MLP as MLP
    from .network import Sequential as Sequential
    from .optimizers import SGD as SGD
    from .optimizers import Adagrad as Adagrad
    from .optimizers import Adam as Adam
    from .optimizers import AdamW as AdamW
    from .optimizers import NAdam as NAdam
    from .optimizers import RMSprop as RMSprop
    from .parameters import Parameters as Parameters
    from .range_test import lr_range_test as lr_range_test
    from .range_test import suggest_lr as suggest_lr
    from .regularizers import L1 as L1
    from .regularizers import L2 as L2
    from .regularizers import ElasticNet as ElasticNet
    from .regularizers import soft_threshold as soft_threshold
    from .schedulers import CosineAnnealingLR as CosineAnnealingLR
    from .schedulers import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
    from .schedulers import ExponentialLR as ExponentialLR
    from .schedulers import LinearLR as LinearLR
    from .schedulers import MultiStepLR as MultiStepLR
    from .schedulers import OneCycleLR as OneCycleLR
    from .schedulers import PolynomialLR as PolynomialLR
    from .schedulers import ReduceLROnPlateau as ReduceLROnPlateau
    from .schedulers import SequentialLR as SequentialLR
    from .schedulers import StepLR as StepLR
    from .training import History as History
    from .training import fit as fit

_NAMES = {
    "batchnorm": ("BatchNorm1d",),
    "clipping": ("clip_grad_norm", "clip_grad_value"),
    "dropout": ("Dropout",),
    "early_stopping": ("EarlyStopping",),
    "gradcheck": ("check_model", "gradient_check"),
    "graph": ("Value",),
    "layers": ("Linear", "ReLU", "Sigmoid", "Tanh"),
    "losses": ("accuracy", "softmax_cross_entropy", "squared_error"),
    "modern_optimizers": ("Lion", "Muon", "ScheduleFreeSGD"),
    "network": ("MLP", "Sequential"),
    "optimizers": ("SGD", "Adagrad", "Adam", "AdamW", "NAdam", "RMSprop"),
    "parameters": ("Parameters",),
    "range_test": ("lr_range_test", "suggest_lr"),
    "regularizers": ("L1", "L2", "ElasticNet", "soft_threshold"),
    "schedulers": (
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "ExponentialLR",
        "LinearLR",
        "MultiStepLR",
        "OneCycleLR",
        "PolynomialLR",
        "ReduceLROnPlateau",
        "SequentialLR",
        "StepLR",
    ),
    "training": ("History", "fit"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"course_lib has no {name!r}; it has {', '.join(sorted(_HOME))}")
    value = getattr(import_module(f"course_lib.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
