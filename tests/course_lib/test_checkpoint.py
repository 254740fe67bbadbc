"""A checkpoint gives back every bit, is whole or not there, and refuses what does not fit without changing anything."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from states import bits

from course_lib import MLP, SGD, Adam, AdamW, EarlyStopping, RMSprop, checkpoint


class Thing:
    """Anything with a state."""

    def __init__(self, state=None):
        self.state = state if state is not None else {}

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def there_and_back(path, state):
    checkpoint.save(path, thing=Thing(state))
    other = Thing()
    checkpoint.load(path, thing=other)
    return other.state


plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**200), 2**200), st.floats(), st.text(max_size=5),
    hnp.arrays(
        st.one_of(hnp.scalar_dtypes(), hnp.unicode_string_dtypes(max_len=3), hnp.byte_string_dtypes(max_len=3)),
        hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3),
    ),
    st.lists(st.floats(), max_size=4), st.floats(width=32).map(np.float32), st.integers(0, 9).map(np.int16),
)  # fmt: skip
keys = st.one_of(st.text(max_size=4), st.integers(0, 5), st.sampled_from(["file", "a.b", "a", "contents", "."]))
states = st.dictionaries(
    keys,
    st.recursive(
        plain,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(keys, inner, max_size=3),
        ),
        max_leaves=6,
    ),
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(state=states)
def test_every_state_comes_back_to_the_bit(tmp_path, state):
    assert bits(there_and_back(tmp_path / "c.npz", state)) == bits(state)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", "<f8", np.longdouble, np.complex128])
def test_nan_payloads_signs_and_byte_orders_survive(tmp_path, dtype):
    array = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0, np.finfo(dtype).smallest_subnormal], dtype)
    state = {"a": array, "f": np.asfortranarray(np.eye(3, dtype=dtype))}
    assert bits(there_and_back(tmp_path / "c", state)) == bits(state)
    payload = np.array([0x7FF8000000000123, 0xFFF0000000000001], np.uint64).view(np.float64)
    assert there_and_back(tmp_path / "c", {"a": payload})["a"].tobytes() == payload.tobytes()


@pytest.mark.parametrize(
    "kind", [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]
)
def test_generators_go_on_where_they_were(tmp_path, kind):
    rng = np.random.Generator(kind(7))
    rng.random(3)
    rng.integers(0, 9, dtype=np.uint32)  # half of a 64-bit draw stays behind
    checkpoint.save(tmp_path / "c.npz", rng=rng)
    wanted = rng.integers(0, 1000, 5, dtype=np.uint32), rng.standard_normal(5)
    other = np.random.Generator(kind(1))
    checkpoint.load(tmp_path / "c.npz", rng=other)
    np.testing.assert_array_equal(other.integers(0, 1000, 5, dtype=np.uint32), wanted[0])
    np.testing.assert_array_equal(other.standard_normal(5), wanted[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", [SGD, RMSprop, Adam, AdamW])
def test_a_model_and_its_optimizer_go_on_as_they_would_have(tmp_path, rule, dtype):
    def made(seed):
        rng = np.random.default_rng(seed)
        model = MLP([3, 4, 2], rng=rng, dtype=dtype)
        return model, rule(model.parameters, lr=0.1), rng

    def steps(model, optimizer, rng):
        for _ in range(5):
            model.parameters.grad = rng.standard_normal(model.parameters.size)
            optimizer.step()
        return model.parameters.theta.tobytes()

    first, second = made(0), made(1)
    steps(*first)
    names = ("model", "optimizer", "rng")
    checkpoint.save(tmp_path / "run.npz", **dict(zip(names, first, strict=True)))
    checkpoint.load(tmp_path / "run.npz", **dict(zip(names, second, strict=True)))
    assert bits(first[1].state_dict()) == bits(second[1].state_dict())
    assert steps(*first) == steps(*second)


def test_the_optimizer_has_the_last_word_on_the_rate(tmp_path):
    class Halving:
        def __init__(self, optimizer):
            self.optimizer, self.t = optimizer, 0

        def state_dict(self):
            return {"t": self.t}

        def load_state_dict(self, state):
            self.t = state["t"]
            self.optimizer.lr = 0.5**self.t

    def made():
        optimizer = SGD(MLP([2, 2], rng=np.random.default_rng(0)).parameters, lr=1.0)
        return optimizer, Halving(optimizer)

    optimizer, scheduler = made()
    scheduler.t = 3
    optimizer.lr = 0.3  # by hand
    checkpoint.save(tmp_path / "c.npz", optimizer=optimizer, scheduler=scheduler)
    optimizer, scheduler = made()
    checkpoint.load(tmp_path / "c.npz", optimizer=optimizer, scheduler=scheduler)
    assert (optimizer.lr, scheduler.t) == (0.3, 3)


def test_the_entries_can_be_read_by_name_and_some_things_can_be_loaded_alone(tmp_path):
    model = MLP([2, 2], rng=np.random.default_rng(0))
    checkpoint.save(tmp_path / "c.npz", model=model, rng=np.random.default_rng(1))
    with np.load(tmp_path / "c.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["model.W1"], model.parameters["W1"])
    other = MLP([2, 2], rng=np.random.default_rng(5))
    checkpoint.load(tmp_path / "c.npz", model=other)
    np.testing.assert_array_equal(other.parameters.theta, model.parameters.theta)


def test_names_that_would_meet_in_the_file_stay_apart(tmp_path):
    state = {
        "a.b": np.zeros(1),
        "a": {"b": np.ones(1), "é": np.full(1, 2.0), "ü": np.full(1, 3.0)},
        "a.b_": np.full(1, 4.0),
    }
    assert bits(there_and_back(tmp_path / "c.npz", state)) == bits(state)


def test_what_is_loaded_shares_no_memory_with_a_second_load(tmp_path):
    checkpoint.save(tmp_path / "c.npz", thing=Thing({"a": np.zeros(3)}))
    first, second = Thing(), Thing()
    checkpoint.load(tmp_path / "c.npz", thing=first)
    first.state["a"][...] = 9
    checkpoint.load(tmp_path / "c.npz", thing=second)
    np.testing.assert_array_equal(second.state["a"], 0)


def run():
    model = MLP([2, 3, 2], rng=np.random.default_rng(0))
    return {"model": model, "optimizer": Adam(model.parameters), "rng": np.random.default_rng(3)}


def bits_of(things):
    return [bits(checkpoint._state(thing)) for thing in things.values()]


def other_rng():
    return {**run(), "rng": np.random.Generator(np.random.SFC64(0))}


def other_precision():
    model = MLP([2, 3, 2], rng=np.random.default_rng(0), dtype=np.float64)
    return {"model": model, "optimizer": Adam(model.parameters), "rng": np.random.default_rng(3)}


def other_width():
    model = MLP([2, 4, 2], rng=np.random.default_rng(0))
    return {**run(), "optimizer": Adam(model.parameters)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (other_rng, r"'rng' was saved from PCG64; load got SFC64 for it\."),
        (other_precision, r"model\.W1 is float32 in the file and float64 here"),
        (other_width, r"'optimizer' does not fit, so nothing was loaded: Adam\.load_state_dict"),
        (lambda: {**run(), "optimizer": AdamW(run()["model"].parameters)}, "saved from Adam; load got AdamW"),
        (lambda: {**run(), "history": Thing()}, "holds no 'history'; it holds 'model', 'optimizer', 'rng'"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(tmp_path, make, message):
    trained = run()
    trained["model"].parameters.theta *= 2
    trained["optimizer"].t = 5
    checkpoint.save(tmp_path / "run.npz", **trained)
    things = make()
    before = bits_of(things)
    with pytest.raises(ValueError, match=message):
        checkpoint.load(tmp_path / "run.npz", **things)
    assert bits_of(things) == before


def test_best_weights_that_do_not_fit_are_refused_after_others_fitted_and_all_goes_back(tmp_path):
    things = {**run()}
    things["stopping"] = EarlyStopping(3, model=things["model"])
    things["stopping"].step(1.0)
    things["model"].parameters.theta *= 2
    checkpoint.save(tmp_path / "run.npz", **things)
    others = {**run(), "stopping": EarlyStopping(3)}
    before = bits_of(others)
    with pytest.raises(ValueError, match=r"'stopping' does not fit.*there is no model"):
        checkpoint.load(tmp_path / "run.npz", **others)
    assert bits_of(others) == before


def damaged(path: Path, how: str) -> None:
    good = path.read_bytes()
    match how:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_bytes(b"hello, this is not a checkpoint")
        case "half":
            path.write_bytes(good[: len(good) // 2])
        case "flipped":
            i = good.index(b"NUMPY") + 140
            path.write_bytes(good[:i] + bytes([good[i] ^ 255]) + good[i + 1 :])
        case "npy":
            with path.open("wb") as file:
                np.save(file, np.zeros(3))
        case "pickle":
            path.write_bytes(pickle.dumps({"a": 1}))
        case "objects":
            with path.open("wb") as file:
                np.savez(file, contents=np.array([{"a": 1}], dtype=object))
        case "another npz":
            with path.open("wb") as file:
                np.savez(file, W1=np.zeros(3))
        case "other contents":
            with path.open("wb") as file:
                np.savez(file, contents=np.frombuffer(b'{"format": "course_lib checkpoint 9"}', np.uint8))
        case "no json":
            with path.open("wb") as file:
                np.savez(file, contents=np.frombuffer(b"\xff{", np.uint8))
        case "unknown tag":
            text = b'{"format": "%s", "things": {"model": {"kind": "MLP", "state": ["lambda", "a"]}}}'
            with path.open("wb") as file:
                np.savez(file, contents=np.frombuffer(text % checkpoint.FORMAT.encode(), np.uint8))
        case "missing entry":
            text = b'{"format": "%s", "things": {"model": {"kind": "MLP", "state": ["array", "a.b"]}}}'
            with path.open("wb") as file:
                np.savez(file, contents=np.frombuffer(text % checkpoint.FORMAT.encode(), np.uint8))


@pytest.mark.parametrize(
    "how",
    ["empty", "text", "half", "flipped", "npy", "pickle", "objects", "another npz", "other contents", "no json",
     "missing entry", "unknown tag"],
)  # fmt: skip
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, how):
    path = tmp_path / "run.npz"
    things = run()
    checkpoint.save(path, **things)
    damaged(path, how)
    before = bits_of(things)
    with pytest.raises(ValueError, match=r"run\.npz is no checkpoint written by course_lib, or is damaged: ."):
        checkpoint.load(path, **things)
    assert bits_of(things) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_changed_anywhere_load_as_they_were_or_not_at_all(tmp_path, data):
    path = tmp_path / "run.npz"
    saved = run()
    checkpoint.save(path, **saved)
    good = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(good)
    things = run()
    things["model"].parameters.theta *= 2
    before = bits_of(things)
    try:
        checkpoint.load(path, **things)
    except ValueError:
        assert bits_of(things) == before
    else:
        assert bits_of(things) == bits_of(saved)


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        checkpoint.load(tmp_path / "nowhere.npz", **run())


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    checkpoint.save(path, **run())
    good = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    for broken in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os if broken == "fsync" else Path, broken, full)
            with pytest.raises(OSError, match="no space left"):
                checkpoint.save(path, **run())
    with pytest.raises(TypeError, match=r"thing\.f is a function"):
        checkpoint.save(path, thing=Thing({"f": lambda: 0}))
    assert path.read_bytes() == good
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_the_name_is_taken_as_it_is(tmp_path):
    for name in ("run", "run.ckpt", str(tmp_path / "text.npz")):
        checkpoint.save(tmp_path / name, **run())
        assert (tmp_path / name).is_file()


@pytest.mark.parametrize("act", [checkpoint.save, checkpoint.load])
def test_things_without_a_state_are_refused(tmp_path, act):
    checkpoint.save(tmp_path / "c.npz", **run())
    name = act.__name__
    with pytest.raises(TypeError, match=f"{name} got history, a dict; it takes what has state_dict"):
        act(tmp_path / "c.npz", history={})
    with pytest.raises(ValueError, match=f"{name} got nothing"):
        act(tmp_path / "c.npz")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {"b": {1, 2}}}, r"thing\.a\.b is a set; a checkpoint takes"),
        ({"a": np.array([None])}, r"thing\.a is an array of Python objects"),
        ({"a": [1, Path()]}, r"thing\.a\.1 is a \w*Path"),
    ],
)
def test_what_json_cannot_say_is_refused_by_name(tmp_path, state, message):
    with pytest.raises(TypeError, match=message):
        checkpoint.save(tmp_path / "c.npz", thing=Thing(state))
