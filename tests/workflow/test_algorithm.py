"""Hyperparameters that no job would take are refused before one is started."""

import pytest

from scones.container.hyperparameters import KNOWN, REFUSED, plan
from scones.workflow.algorithm import NAMES, OPTIONS, check


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("foo", "3", "hyperparameter foo is none of image-classification; known: augment"),
        ("epoch", "3", "did you mean epochs?"),
        ("epochs", "abc", "hyperparameter epochs is 'abc'; give a whole number above 0"),
        ("epochs", "0", "hyperparameter epochs is '0'; give a whole number above 0"),
        ("mini_batch_size", "2.5", "give a whole number"),
        ("learning_rate", "nan", "hyperparameter learning_rate is 'nan'; give a number"),
        ("learning_rate", "-1", "give a number from 0 up"),
        ("momentum", "much", "give a number"),
    ],
)
def test_what_any_job_would_fail_at_is_refused(name: str, text: str, says: str) -> None:
    with pytest.raises(ValueError) as error:
        check({name: text})
    assert says in str(error.value)


def test_what_a_job_takes_is_let_through() -> None:
    texts = {"epochs": "3", "learning_rate": "1e-3", "optimizer": "sgd", "mini_batch_size": " 8 "}
    check(texts)
    plan({**texts, "num_classes": "2"})


def test_the_names_are_those_that_the_container_knows() -> None:
    assert {*NAMES, *OPTIONS} == {*KNOWN, *REFUSED}


def test_the_containers_list_of_names_holds_no_internals() -> None:
    with pytest.raises(
        ValueError, match="zzz is no hyperparameter here; known: num_classes"
    ) as told:
        plan({"zzz": "1", "num_classes": "2"})
    assert "_tuning_objective_metric" not in str(told.value)
    assert "class_names" not in str(told.value)
