"""What the app calls things: models, data sets, states of a run, and each number with its
explanation. No Streamlit in here."""

from core.metrics.registry import METRICS

COLUMNS = {
    "before": "Before",
    "after": "After unlearning",
    "retrained": "Retrained: the ideal",
}
SHORT = {"before": "Before", "after": "After", "retrained": "Retrained (ideal)"}
DATASETS = {
    "cifar10": "CIFAR-10 (small colour photos)",
    "digits": "Handwritten digits",
}
STATUS = {
    "running": "running",
    "finished": "finished",
    "partial": "stopped early",
    "failed": "failed",
    "interrupted": "interrupted",
}
DIGITS_NOTE = (
    "These are scikit-learn's handwritten digits, which need no download. A fifth of the training "
    "labels are wrong on purpose, because clean digits leave a model almost nothing to memorise."
)
LIMITS = (
    "What these spies cannot see: the one whose score is drawn here looks at one number per image, "
    "the loss, and judges all images alike; the verdict also hears some that look at all answers, "
    "that know how hard each image is, or that look inside, where a network that has only silenced "
    "an answer is found out. An attack that is stronger, or aimed at a single image, may still "
    "find traces. Numbers near the ideal's are evidence of forgetting, never a proof of deletion."
)
TOO_FEW = "too few images"
NO_AIM = (
    "No model was retrained without exactly these images, so nobody knows the aim. Start the "
    "method *Retrain* on the same choice to make one; it takes longest of all."
)


def term(metric: str) -> str:
    """The field's word for a metric, by its name; also of one that is no more."""
    return METRICS[metric].label if metric in METRICS else metric.replace("_", " ")


def sentence(metric: str) -> str:
    """What a metric says; empty for one that is no more."""
    return METRICS[metric].sentence if metric in METRICS else ""
