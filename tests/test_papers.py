"""The reproductions of papers: their recipes, their data, runs that go on where they stopped."""

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
from flax import nnx

PAPERS = Path(__file__).parents[1] / "benchmarks" / "papers"


def rolls(rng, lengths):
    return [(rng.random((length, 88)) < 0.05).astype(np.uint8) for length in lengths]


@pytest.fixture
def chorales(tmp_path):
    """A folder with a file of few, short pieces."""
    rng = np.random.default_rng(0)
    parts = {"traindata": (5, 2, 7, 4, 6), "validdata": (3, 5), "testdata": (6, 2, 4)}
    content = {}
    for name, lengths in parts.items():
        content[name] = np.empty((1, len(lengths)), object)
        for n, roll in enumerate(rolls(rng, lengths)):
            content[name][0, n] = roll
    folder = tmp_path / "music"
    folder.mkdir()
    scipy.io.savemat(folder / "JSB_Chorales.mat", content)
    return folder


@pytest.fixture
def words(tmp_path):
    """A folder with a small treebank."""
    rng, folder = np.random.default_rng(1), tmp_path / "words"
    folder.mkdir()
    vocabulary = np.array([*"abcdefg", "<unk>"])
    for part, lines in {"train": 250, "valid": 14, "test": 11}.items():
        text = [" " + " ".join(rng.choice(vocabulary, 7)) + " \n" for _ in range(lines)]
        (folder / f"ptb.{part}.txt").write_text("".join(text))
    return folder


@pytest.fixture
def letters(tmp_path):
    """A folder with a text of 20 chunks and a rest."""
    rng, folder = np.random.default_rng(2), tmp_path / "letters"
    folder.mkdir()
    (folder / "input.txt").write_text("".join(rng.choice([*"abc \n"], 20 * 2500 + 99)))
    return folder


def result(module, monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments), "--json"])
    assert module.main() == 0
    out = capsys.readouterr().out
    return json.loads(out.splitlines()[-1]), out


def frame_by_hand(logits, roll):
    """Nats of the frames of one piece after its first, with probabilities written out."""
    p = 1 / (1 + np.exp(-logits))
    return -(roll[1:] * np.log(p) + (1 - roll[1:]) * np.log(1 - p)).sum(axis=1)


def test_nats_of_a_frame_are_summed_over_keys_and_only_over_predicted_frames(paper, x64):
    room, rng = paper("chorales"), np.random.default_rng(3)
    given = rolls(rng, (4, 2, 6))
    pieces = room.padded(given)
    assert pieces.inputs.shape == pieces.targets.shape == (5, 3, 88)
    assert pieces.seq_lengths.tolist() == [3, 1, 5]
    logits = np.full((5, 3, 88), np.nan)
    expected = np.zeros((5, 3))
    for n, roll in enumerate(given):
        assert (pieces.inputs[: len(roll) - 1, n] == roll[:-1]).all()
        logits[: len(roll) - 1, n] = rng.normal(size=(len(roll) - 1, 88))
        expected[: len(roll) - 1, n] = frame_by_hand(logits[: len(roll) - 1, n], roll)
    found = room.frame_nats(jnp.asarray(logits), pieces.targets, pieces.seq_lengths)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    total = lambda logits: jnp.sum(room.frame_nats(logits, pieces.targets, pieces.seq_lengths))
    gradient = jax.grad(total)(jnp.asarray(logits))
    real = np.arange(5)[:, None] < pieces.seq_lengths
    assert (gradient[~real] == 0).all() and np.isfinite(gradient).all()


def test_the_static_model_counts_every_frame_of_the_training_pieces(paper, x64):
    room, rng = paper("chorales"), np.random.default_rng(4)
    train, test = rolls(rng, (4, 9, 2)), rolls(rng, (3, 5))
    frames = np.concatenate(train)
    p = (frames.sum(0) + 0.5) / (len(frames) + 1)
    log_odds = np.log(p / (1 - p))
    nats = np.concatenate([frame_by_hand(log_odds, roll) for roll in test])
    found = room.static_nats(room.padded(train), room.padded(test))
    assert found == pytest.approx(nats.mean(), rel=1e-6)


def test_a_network_keeps_what_validates_best_and_a_stopped_run_ends_as_a_whole_one(
    paper, chorales, tmp_path, monkeypatch
):
    room, early = paper("chorales"), paper("early_stopping")
    parts = room.read(chorales)
    # So fast that validation gets worse again.
    recipe = early.Recipe(paper("jaxrnn").gru(88, 3), 0.5, 0.2, batch_size=2, epochs=6, patience=3)
    curves = []
    whole = early.train(recipe, parts, tmp_path / "a", 2, lambda record: None)
    curve = np.array(whole["curve"])
    assert curve.shape[1] == 2 and len(set(curve[-1])) == 2
    assert whole["valid"] == curve.min(axis=0).tolist()
    assert early.best_epochs(whole["curve"]) == (1 + curve.argmin(axis=0)).tolist()

    def stop(record):
        curves.append(list(record["curve"]))
        if len(curves) == 2:
            signal.raise_signal(signal.SIGINT)

    assert early.train(recipe, parts, tmp_path / "b", 2, stop) is None
    again = early.train(recipe, parts, tmp_path / "b", 2, stop)
    for name in ("curve", "valid", "test"):
        assert again[name] == whole[name]
    assert len(curves) == len(curve)  # no epoch twice
    known = early.train(recipe, parts, tmp_path / "b", 2, stop)
    assert known["test"] == whole["test"] and len(curves) == len(curve)
    # It is the best parameters that are tested, and the last ones are worse.
    same = early.train(recipe, {**parts, "test": parts["valid"]}, tmp_path / "b", 2, stop)
    assert same["test"] == pytest.approx(whole["valid"], rel=1e-5)
    assert (curve[-1] > curve.min(axis=0) + 0.01).all()


def test_scores_of_a_network_are_those_of_every_piece_alone(paper, chorales, tmp_path):
    room, early = paper("chorales"), paper("early_stopping")
    parts = room.read(chorales)
    recipe = early.Recipe(paper("jaxrnn").elman(88, 4), 0.01, 0.2, batch_size=2, epochs=1)
    params = recipe.init(jax.random.key(0))
    params["readout"] = jax.tree.map(lambda leaf: leaf + 0.1, params["readout"])
    nats, cell = [], jax.tree.map(np.asarray, params["cell"])
    weights, bias = map(np.asarray, params["readout"])
    for n, length in enumerate(parts["test"].seq_lengths):
        roll = parts["test"].frames[: length + 1, n].astype(float)
        h = np.zeros(4)
        for x, y in itertools.pairwise(roll):
            h = np.tanh(x @ cell.w_x + h @ cell.w_h + cell.b)
            nats.append(frame_by_hand((h @ weights + bias)[None], np.stack([x, y])))
    found = early.total_nats(recipe, params, parts["test"], None)
    assert float(found) == pytest.approx(float(np.sum(nats)), rel=1e-5)
    keyed = early.total_nats(recipe, params, parts["test"], jax.random.key(1))
    assert float(keyed) != float(found)  # dropout


@pytest.mark.parametrize(
    ("curve", "done"),
    [
        ([], False),
        ([[3.0, 3.0], [2.0, 2.0], [2.5, 1.0]], False),  # one of them still gets better
        ([[2.0, 1.0], [3.0, 2.0], [2.5, 2.0]], True),  # two epochs without
        ([[9.0 - n] for n in range(5)], True),  # the last epoch
    ],
)
def test_training_stops_when_no_network_gets_better(curve, done, paper):
    early = paper("early_stopping")
    recipe = early.Recipe(
        paper("jaxrnn").elman(88, 2), 0.1, 0.2, batch_size=2, epochs=5, patience=2
    )
    assert early._done(recipe, curve) is done


def test_the_chorales_print_a_row_for_each_cell(paper, chorales, tmp_path, monkeypatch, capsys):
    script = paper("jsb_chorales")
    small = paper("early_stopping").Recipe(paper("jaxrnn").elman(88, 2), 0.01, 0.2, 2, 9)
    monkeypatch.setitem(script.CELLS, "tanh", small)
    given = ["--data", chorales, "--out", tmp_path / "out", "--cells", "tanh", "--seeds", 2]
    found, out = result(script, monkeypatch, capsys, *given, "--epochs", 2)
    (row,) = found["rows"]
    assert row["cell"] == "tanh" and len(row["test"]) == 2 and len(row["curve"]) == 2
    assert row["parameters"] == 88 * 2 + 2 * 2 + 2 + 2 * 88 + 88
    assert "8.91" in out and "static" in out and found["static"]["test"] > 0
    monkeypatch.setitem(script.CELLS, "tanh", small._replace(learning_rate=0.02))
    monkeypatch.setattr(sys, "argv", ["script", *map(str, given), "--epochs", "2"])
    assert script.main() == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: `out` must hold a run with learning_rate = 0.02, or be another")


def test_shakespeare_is_split_by_chunks_of_every_stream(paper):
    script = paper("tiny_shakespeare")
    codes = np.arange(40 * 2500 + 17) % 61
    epoch, validation = script.chunks(codes)
    assert epoch.inputs.shape == (38, 50, 50) and validation.inputs.shape == (2, 50, 50)
    streams = codes[: 40 * 2500].reshape(50, 2000)
    for b in (0, 7, 49):
        read = np.concatenate([epoch.inputs[:, :, b].ravel(), validation.inputs[:, :, b].ravel()])
        assert (read == streams[b]).all()
        assert (validation.inputs[:, :, b].ravel() == streams[b, -100:]).all()
    assert (epoch.targets[:, :-1] == epoch.inputs[:, 1:]).all()
    assert validation.targets[-1, -1, 3] == streams[4, 0] and epoch.mask.all()
    assert validation.targets[-1, -1, 49] == codes[0]
    with pytest.raises(ValueError, match=r"`data` must hold 20 chunks of 50 x 50 .*; got 9 char"):
        script.chunks(codes[:9])


def test_learning_rates_fall_in_the_epochs_of_the_programs(paper):
    zaremba, shakespeare = paper("zaremba"), paper("tiny_shakespeare")
    # As the programs write it down, epoch by epoch.
    rate, small = 1.0, []
    for epoch in range(1, 14):
        small.append(rate)
        if epoch > 4:
            rate /= 2
    updates = 7
    recipe = zaremba.RECIPES["small"]
    chain = zaremba.optimizer(recipe, updates)
    gradient = jnp.asarray([0.3 / recipe.steps])  # below the clipping norm once scaled
    state, taken = chain.init(gradient), []
    for _ in range(13 * updates):
        step, state = chain.update(gradient, state)
        taken.append(-float(step[0]) / 0.3)
    np.testing.assert_allclose(taken, np.repeat(small, updates), rtol=1e-6)
    rate, rates = 2e-3, []
    for epoch in range(1, 16):
        rates.append(rate)
        if epoch >= 10:
            rate *= 0.97
    schedule = shakespeare.learning_rate(updates)
    found = [float(schedule(n)) for n in range(15 * updates)]
    np.testing.assert_allclose(found, np.repeat(rates, updates), rtol=1e-6)


def test_clipping_acts_on_the_gradient_of_the_sum_over_time(paper):
    zaremba, shakespeare = paper("zaremba"), paper("tiny_shakespeare")
    recipe = zaremba.RECIPES["small"]
    gradient = jnp.asarray([3.0, -4.0])  # of the mean over 20 steps: of the sum, [60, -80]
    chain = zaremba.optimizer(recipe, 10)
    step, _ = chain.update(gradient, chain.init(gradient))
    np.testing.assert_allclose(step, [-3.0, 4.0], rtol=1e-6)
    gradient = jnp.asarray([0.02, -3.0])  # of the sum over 50 steps: [1, -150]
    chain = shakespeare.optimizer(10)
    state = chain.init(gradient)
    square = np.zeros(2)
    for clipped in ([1.0, -5.0], [1.0, -5.0]):
        step, state = chain.update(gradient, state)
        square = 0.95 * square + 0.05 * np.square(clipped)
        expected = -2e-3 * np.asarray(clipped) / (np.sqrt(square) + 1e-8)
        np.testing.assert_allclose(step, expected, rtol=1e-5)


def test_parameters_start_as_in_the_papers(paper):
    zaremba, shakespeare = paper("zaremba"), paper("tiny_shakespeare")
    recipe = zaremba.RECIPES["small"]._replace(units=30)
    base = zaremba.model(recipe, 40)
    drawn = zaremba.uniform_like(base.params, recipe.bound, jax.random.key(0))
    for leaf in jax.tree.leaves(drawn):  # biases and embeddings too
        assert 0.05 < np.abs(leaf).max() < 0.1 and abs(float(leaf.mean())) < 0.03
    layers, (weights, _) = shakespeare.CharRNN(11).init(jax.random.key(0))
    assert weights.shape == (128, 11) and layers[0].w_x.shape == (11, 512)
    assert float(jnp.abs(weights).max()) < 0.08
    for layer in layers:
        i, f, g, o = layer.b.reshape(4, 128)
        assert (jnp.abs(f - 1) < 0.08).all() and (jnp.abs(jnp.stack([i, g, o])) < 0.08).all()


def test_a_stopped_character_run_ends_as_a_whole_one(paper, letters, tmp_path, monkeypatch, capsys):
    script = paper("tiny_shakespeare")
    monkeypatch.setattr(script, "HIDDEN", 4)
    given = ["--data", letters, "--out"]
    whole, _ = result(script, monkeypatch, capsys, *given, tmp_path / "a", "--epochs", 2)
    assert len(whole["validation"]) == 2 and whole["parameters"] == 5 * 16 + 3 * 64 + 32 + 25
    half, out = result(script, monkeypatch, capsys, *given, tmp_path / "b", "--epochs", 1)
    assert half["validation"] == whole["validation"][:1] and "after epoch 1 " in out
    again, _ = result(script, monkeypatch, capsys, *given, tmp_path / "b", "--epochs", 2)
    assert again["validation"] == whole["validation"]
    monkeypatch.setattr(sys, "argv", ["s", *map(str, given), str(tmp_path / "b"), "--epochs", "1"])
    assert script.main() == 2
    assert "`epochs` must be at least the 2.00 epochs" in capsys.readouterr().err


@pytest.fixture
def tiny(paper, monkeypatch):
    script = paper("zaremba")
    recipe = script.RECIPES["small"]._replace(units=6, steps=5, epochs=2)
    monkeypatch.setitem(script.RECIPES, "small", recipe)
    return script


def text_of(folder, part):
    return (folder / f"ptb.{part}.txt").read_text().replace("\n", "</s>").split()


def test_words_are_one_stream_and_the_rest_is_left_out(tiny, words):
    texts, size = tiny.read(words)
    assert size == 9 and len(texts["test"]) == 11 * 8
    epoch = tiny.segments(texts["train"], tiny.RECIPES["small"])
    assert epoch.inputs.shape == (2000 // 100 - 1, 5, 20) and epoch.mask.all()
    assert (epoch.inputs[:, :, 1].ravel() == texts["train"][95:190]).all()
    assert (epoch.targets[:, :, 1].ravel() == texts["train"][96:191]).all()
    assert epoch.resets[0, 0].all() and epoch.resets.sum() == 20  # zero at the start of an epoch
    assert list(text_of(words, "test")[7:8]) == ["</s>"]


def lstm_nats(params, text):
    """Nats of the words of one stream by an LSTM in NumPy, gates i, f, g, o."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    leaves = jax.tree.map(np.asarray, params)
    states = [(np.zeros(6), np.zeros(6)) for _ in range(2)]
    nats = []
    for word, following in itertools.pairwise(text):
        x = leaves["embed"]["embedding"][word]
        for n, layer in leaves["rnn"]["params"].items():
            h, c = states[n]
            i, f, g, o = np.split(x @ layer["w_x"] + h @ layer["w_h"] + layer["b"], 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            x = sigmoid(o) * np.tanh(c)
            states[n] = (x, c)
        logits = leaves["readout"]["vectors"] @ x + leaves["readout"]["bias"]
        nats.append(np.log(np.exp(logits).sum()) - logits[following])
    return np.array(nats)


@pytest.mark.parametrize("seeds", [1, 2])
def test_perplexities_are_those_of_one_stream(seeds, tiny, words, tmp_path, monkeypatch, capsys):
    kept = []
    measured = tiny.perplexity
    monkeypatch.setattr(
        tiny,
        "perplexity",
        lambda model, params, text: kept.append(params) or measured(model, params, text),
    )
    given = ["--data", words, "--out", tmp_path / "out", "--seeds", seeds]
    found, out = result(tiny, monkeypatch, capsys, *given)
    _, *each = kept
    text = tiny.read(words)[0]["test"]
    nats = np.stack([lstm_nats(nnx.to_pure_dict(params), text) for params in each])
    expected = np.exp(nats.mean(axis=1))
    np.testing.assert_allclose(found["test_of_each"], expected, atol=0.011)
    mixed = np.exp(-np.log(np.exp(-nats).mean(axis=0)).mean())
    assert found["test"] == pytest.approx(mixed, abs=0.011)
    assert len(found["valid"]) == 2 and "114.5" in out and ("96.1" in out) is (seeds == 2)


@pytest.mark.parametrize("script", ["jsb_chorales", "tiny_shakespeare", "zaremba"])
def test_a_folder_without_the_data_is_one_line(script, tmp_path):
    command = [sys.executable, PAPERS / f"{script}.py", "--data", tmp_path]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stderr.startswith("error: `data` must ")
    assert len(ran.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_a_file_that_holds_something_else_is_one_line(paper, tmp_path):
    scipy.io.savemat(tmp_path / "JSB_Chorales.mat", {"traindata": np.zeros((1, 3))})
    with pytest.raises(
        ValueError,
        match=r"`data` must be a MATLAB file with traindata, .*; got .*JSB_Chorales\.mat",
    ):
        paper("chorales").read(tmp_path)


def test_a_folder_with_other_files_is_left_alone(paper, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="`out` must be a new folder"):
        paper("settings").keep_settings(tmp_path, {"seed": 0})
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
