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
SPY = "Spy's score"
SPY_HELP = (
    "A simple attacker sees only how surprised the model is by an image (its loss) and guesses "
    "whether that image was among those to be forgotten. A coin flip scores 50 %. The aim is the "
    "retrained model's score, wherever that lies, and not the lowest one."
)
SPY_FAIR = "Spy's score, same classes"
SPY_FAIR_HELP = (
    "The spy has to tell the forgotten images from unseen images of the same classes. Where "
    "classes were chosen this is the fair question. The aim is the retrained model's score."
)
SPY_PLAIN = "Spy's score, all new images"
SPY_PLAIN_HELP = (
    "The spy has to tell the forgotten images from unseen images of every class. Where classes "
    "were chosen it mostly measures which class an image is of, not whether it was learned."
)
FORGET = "Right on images to forget"
FORGET_HELP = (
    "How many of the images to forget the model still labels correctly. The aim is the retrained "
    "model's value: unseen images are often recognised too."
)
USEFUL = "Right on new images"
USEFUL_HELP = (
    "How many unseen test images it labels correctly, of the classes that it should still know. "
    "Higher is better: this is what forgetting must not cost."
)
LIMITS = (
    "What these spies cannot see: the one whose score is drawn here looks at one number per image, "
    "the loss, and judges all images alike; the verdict also hears some that look at all answers, "
    "that know how hard each image is, or that look inside, where a network that has only silenced "
    "an answer is found out. An attack that is stronger, or aimed at a single image, may still "
    "find traces. Numbers near the ideal's are evidence of forgetting, never a proof of deletion."
)
TOO_FEW = "too few images"
MEASURING = "measuring"


def term(metric: str) -> str:
    """The field's word for a metric, by its name; also of one that is no more."""
    return METRICS[metric].label if metric in METRICS else metric.replace("_", " ")


def sentence(metric: str) -> str:
    """What a metric says; empty for one that is no more."""
    return METRICS[metric].sentence if metric in METRICS else ""
