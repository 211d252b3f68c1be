"""Learning: it can overfit, repeats itself, goes on where it was cut off, knows when to stop."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from scones.images.images import Images
from scones.model import fit
from scones.model.fit import Epoch, Fitting, Stopping
from scones.model.learner import Learner, State
from scones.model.recipe import Augmentation, Recipe


def carried(state: State) -> State:
    """A checkpoint as another process would read it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: State = torch.load(buffer, weights_only=True)
    return loaded


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_one_batch_is_overfitted_to_the_last_picture(images: Images, tiny: Recipe) -> None:
    plain = replace(
        tiny, widths=(16, 16, 16), epochs=60, label_smoothing=0.0, augmentation=Augmentation()
    )
    batch = images.take(range(20))
    fitting = fit.fit(batch, plain)
    assert np.array_equal(fitting.logits(batch.pixels_NHWC).argmax(1), batch.labels_N)


@pytest.mark.parametrize(("averaging", "cutmix"), [(0.0, 0.0), (0.9, 0.0), (0.0, 0.5)])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    images: Images, tiny: Recipe, averaging: float, cutmix: float
) -> None:
    mixed = replace(tiny.augmentation, cutmix=cutmix)
    recipe = replace(tiny, averaging=averaging, augmentation=mixed)
    one, two, other = (fit.fit(images, recipe, seed).fitted().weights[0] for seed in (3, 3, 4))
    assert same(one, two)
    assert not same(one, other)


def test_an_average_of_few_steps_has_left_the_random_start(images: Images, tiny: Recipe) -> None:
    last, averaged = (
        fit.fit(images, replace(tiny, averaging=decay)).fitted().weights[0]["head.weight"]
        for decay in (0.0, 0.999)
    )
    start = Fitting(images, tiny).fitted().weights[0]["head.weight"]
    assert (averaged - last).norm() < (averaged - start).norm()


def test_what_others_draw_meanwhile_changes_nothing(images: Images, tiny: Recipe) -> None:
    one = fit.fit(images, tiny).fitted().weights[0]

    def draw(_epoch: Epoch) -> None:
        torch.rand(5)

    torch.manual_seed(99)
    other = fit.fit(images, tiny, tell=draw).fitted().weights[0]
    assert same(one, other)


@pytest.mark.parametrize("stopping", [None, Stopping(min_epochs=1, patience=9)])
def test_a_fit_cut_off_and_gone_on_with_ends_with_the_same_weights(
    images: Images, tiny: Recipe, stopping: Stopping | None
) -> None:
    mixed = replace(tiny.augmentation, cutmix=0.5)
    recipe = replace(tiny, epochs=4, networks=2, averaging=0.9, augmentation=mixed)
    unbroken = fit.fit(images, recipe, stopping=stopping)
    first = Fitting(images, recipe, stopping=stopping)
    first.epoch()
    first.epoch()
    second = Fitting(images, recipe, stopping=stopping)
    assert second.restore(carried(first.state()))
    assert second.epochs == 2
    while not second.done:
        second.epoch()
    expected, found = unbroken.fitted(), second.fitted()
    assert (found.epochs, found.best_epoch) == (expected.epochs, expected.best_epoch)
    for one, other in zip(expected.weights, found.weights, strict=True):
        assert same(one, other)


def test_a_checkpoint_of_another_fit_is_left_alone(images: Images, tiny: Recipe) -> None:
    state = fit.fit(images, tiny).state()
    for other in (
        Fitting(images, tiny, seed=1),
        Fitting(images, replace(tiny, learning_rate=0.01)),
        Fitting(images.take(range(59)), tiny),
    ):
        assert not other.restore(state)
        assert other.epochs == 0


def test_a_checkpoint_of_a_fit_from_elsewhere_is_left_alone(images: Images, tiny: Recipe) -> None:
    """Else a job that goes on from an earlier model, with its checkpoints, would not train."""
    fresh = fit.fit(images, tiny)
    start = fresh.fitted().weights
    later = Fitting(images, tiny, start=start)
    assert not later.restore(fresh.state())
    assert not later.done
    assert Fitting(images, tiny, start=start).restore(later.state())


@pytest.mark.parametrize("networks", [1, 2])
def test_a_loss_that_is_no_number_stops_with_step_and_learning_rate(
    images: Images, tiny: Recipe, networks: int
) -> None:
    wild = replace(tiny, learning_rate=1e30, warmup=0.01, networks=networks)
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) at step \d.*rate is \d.*lower"):
        fit.fit(images, wild)


def test_early_stopping_waits_its_patience_and_keeps_the_best_weights(
    images: Images, tiny: Recipe
) -> None:
    still = replace(tiny, epochs=50, learning_rate=1e-9)
    stopping = Stopping(min_epochs=2, patience=3, tolerance=0.5)
    fitting = fit.fit(images, still, stopping=stopping)
    fitted = fitting.fitted()
    assert (fitted.epochs, fitted.best_epoch) == (4, 0)
    weights = fitting.fitted().weights[0]
    assert same(weights, fitted.weights[0])


def test_early_stopping_never_fits_on_its_judges(images: Images, tiny: Recipe) -> None:
    fitting = Fitting(images, tiny, stopping=Stopping(share=0.2))
    epoch = fitting.epoch()
    assert epoch.inner_accuracy in {count / 12 for count in range(13)}
    assert len(fitting._learners[0]._labels_N) == 48


def test_an_earlier_model_is_the_start(images: Images, tiny: Recipe) -> None:
    earlier = fit.fit(images, tiny)
    start = earlier.fitted().weights
    later = Fitting(images, replace(tiny, learning_rate=1e-12), seed=5, start=start)
    assert np.allclose(later.logits(images.pixels_NHWC), earlier.logits(images.pixels_NHWC))


def test_an_earlier_model_of_another_shape_is_refused(images: Images, tiny: Recipe) -> None:
    start = fit.fit(images, replace(tiny, epochs=1)).fitted().weights
    with pytest.raises(ValueError, match="do not fit"):
        Fitting(images, replace(tiny, widths=(4, 4, 4)), start=start)
    with pytest.raises(ValueError, match="has 1 networks, not 2"):
        Fitting(images, replace(tiny, networks=2), start=start)


def test_networks_side_by_side_differ_and_their_logits_are_averaged(
    images: Images, tiny: Recipe
) -> None:
    pair = fit.fit(images, replace(tiny, networks=2))
    each = [learner.logits(fit.tensor(images.pixels_NHWC, "cpu")) for learner in pair._learners]
    assert not torch.equal(*each)
    mean = (each[0].double() + each[1].double()).numpy() / 2
    assert np.allclose(pair.logits(images.pixels_NHWC), mean, atol=1e-12)


def test_networks_side_by_side_learn_what_each_would_learn_alone(
    images: Images, tiny: Recipe
) -> None:
    threads = torch.get_num_threads()
    together = fit.fit(images, replace(tiny, networks=3)).fitted().weights
    assert torch.get_num_threads() == threads
    pixels_NCHW, labels_N = fit.tensor(images.pixels_NHWC, "cpu"), torch.tensor(images.labels_N)
    for number, weights in enumerate(together):
        alone = Learner(pixels_NCHW, labels_N, 2, tiny, seed=number)
        for _ in range(tiny.epochs):
            alone.epoch()
        assert same(alone.weights(), weights)


def test_a_batch_larger_than_the_set_is_the_whole_set(images: Images, tiny: Recipe) -> None:
    assert fit.fit(images.take(range(7)), replace(tiny, batch_size=500, epochs=1)).epochs == 1


def test_cross_validation_judges_every_picture_once_by_a_stranger(
    images: Images, tiny: Recipe
) -> None:
    logits_NK = fit.cross_validate(images, replace(tiny, epochs=1), count=3)
    assert logits_NK.shape == (60, 2)
    assert np.all(np.isfinite(logits_NK))
