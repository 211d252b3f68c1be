"""Ranges as a person writes them: read, refused by name, and said in SageMaker's words."""

import pytest

from scones.container.hyperparameters import READERS
from scones.workflow.search import DEFAULT, NAMED, REAL, WHOLE, Choice, Span, parameter_ranges, read


def test_ranges_are_read() -> None:
    assert read(["learning_rate=0.01:0.2:log", "epochs=10:40", "optimizer=muon, sgd"]) == (
        Span("learning_rate", 0.01, 0.2, whole=False, logarithmic=True),
        Span("epochs", 10, 40, whole=True, logarithmic=False),
        Choice("optimizer", ("muon", "sgd")),
    )
    assert read(["mini_batch_size=32,64"]) == (Choice("mini_batch_size", ("32", "64")),)


def test_what_is_searched_is_a_hyperparameter_of_the_container() -> None:
    assert set(WHOLE + REAL + NAMED) <= READERS.keys()
    for each in read(DEFAULT):
        assert isinstance(each, Span)
        for end in (each.low, each.high):
            READERS[each.name](each.name, each.text(end))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate", "it should be name=low:high"),
        ("learning_rate=", "it should be name=low:high"),
        ("lerning_rate=0.1:0.2", "did you mean learning_rate?"),
        ("zebra=1:2", "known: epochs, "),
        ("seed=1:5", "seed cannot be searched"),
        ("learning_rate=0.2:0.1", "the lower first"),
        ("learning_rate=a:b", "give two numbers"),
        ("learning_rate=0:inf", "give two numbers"),
        ("learning_rate=0:1:log", "begins above 0"),
        ("learning_rate=0.1:1:exp", "it should be name=low:high"),
        ("learning_rate=0.1:1:log:2", "it should be name=low:high"),
        ("epochs=1.5:3", "takes whole numbers"),
        ("optimizer=sgd", "two or more"),
        ("optimizer=sgd,sgd", "two or more different"),
    ],
)
def test_a_range_that_makes_no_sense_is_quoted(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"search is '{text}'") as told:
        read([text])
    assert words in str(told.value)


def test_a_name_has_one_range() -> None:
    with pytest.raises(ValueError, match="names momentum twice"):
        read(["momentum=0.1:0.2", "momentum=0.3:0.4"])


def test_sagemaker_is_told_the_same() -> None:
    assert parameter_ranges(
        read(["learning_rate=0.01:0.2:log", "epochs=10:40", "optimizer=muon,sgd"])
    ) == {
        "IntegerParameterRanges": [
            {"Name": "epochs", "MinValue": "10", "MaxValue": "40", "ScalingType": "Linear"}
        ],
        "ContinuousParameterRanges": [
            {"Name": "learning_rate", "MinValue": "0.01", "MaxValue": "0.2",
             "ScalingType": "Logarithmic"}
        ],
        "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["muon", "sgd"]}],
    }  # fmt: skip
    assert parameter_ranges(read(["momentum=0:0.9"])).keys() == {"ContinuousParameterRanges"}
