"""What scikit-learn and PyTorch reach on words like those of examples/keywords.ts and transcription.ts.

    python examples/reference/speech.py

Python 3.11, scikit-learn 1.9.1, PyTorch 2.15.0, eSpeak NG 1.51, 2026-11-30. Voices, words and numbers are drawn likewise, not the same.
"""
import io
import random
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import torch
from sklearn.svm import SVC
from torch import nn

torch.set_num_threads(2)
rate, bands, hop = 22050, 32, 256
voices = re.findall(r"\w+", " ".join(re.findall(r'^  "(.*?)"', (Path(__file__).parents[1] / "support/speech.ts").read_text(), re.M)))


def speak(text, voice, language, tempo, pitch):
    command = ["espeak-ng", "-v", f"{language}+{voice}", "-s", str(tempo), "-p", str(pitch), "-z", "--stdout", text]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data[44:], "<i2").astype(np.float32) / 32768


def mel_filters():
    mel, hertz = lambda f: 2595 * np.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1)
    corners = hertz(np.linspace(mel(60), mel(8000), bands + 2))
    bins = np.linspace(0, rate / 2, 257)
    rise = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    fall = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


filters, window = mel_filters(), np.hanning(513)[:512]


def spectrum(sound, length):
    count = min(len(sound), length) // hop + 1
    padded = np.pad(np.pad(sound[:length], (0, max(0, length - len(sound)))), 256, mode="reflect")
    frames = np.stack([padded[i * hop : i * hop + 512] * window for i in range(length // hop + 1)])
    log = np.log(np.abs(np.fft.rfft(frames)) ** 2 @ filters.T + 1e-4)
    result = (log - log[:count].mean(0)) / 3
    result[count:] = 0
    return result.astype(np.float32)


def noisy(sound, noise, decibels):
    part = noise[: len(sound)]
    return sound + part * np.sqrt((sound**2).mean() / ((part**2).mean() * 10 ** (decibels / 10)))


def keywords(seed):
    draw, normal = random.Random(seed), np.random.default_rng(seed)
    words = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
    accents = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029"]
    people = draw.sample(voices, 68)
    say = lambda who, times: [
        (speak(word, voice, draw.choice(accents), draw.randint(130, 220), draw.randint(20, 80)), label)
        for voice in who for label, word in enumerate(words) for _ in range(times)
    ]
    train, test = say(people[:48], 2), say(people[48:], 1)
    text = "the quick brown fox jumps over the lazy dog while seven boxes of jugs are packed by the wizard for a voyage"
    rooms = [speak(text, voice, "en-gb", 170, 50) for voice in people[48:56]]

    def talk():
        starts = [(room, draw.randrange(len(room) - 20000)) for room in draw.choices(rooms, k=4)]
        return sum(room[at : at + 20000] for room, at in starts)

    of = lambda sounds: np.stack([spectrum(sound, 20000).ravel() for sound in sounds])
    sounds = [sound for sound, _ in train]
    sounds += [noisy(sound, normal.normal(size=len(sound)), draw.uniform(0, 20)) for sound in sounds]
    model = SVC(C=10).fit(of(sounds), [label for _, label in train] * 2)
    truth = [label for _, label in test]
    clean = model.score(of([sound for sound, _ in test]), truth)
    loud = [model.score(of([noisy(sound, talk(), level) for sound, _ in test]), truth) for level in (10, 0)]
    print("keywords:", round(clean, 4), "in talk 10 dB below:", round(loud[0], 4), "as loud:", round(loud[1], 4))


class Writer(nn.Module):
    def __init__(self, letters):
        super().__init__()
        self.convolution, self.norm = nn.Conv1d(bands, 64, 7, stride=3, padding=3), nn.BatchNorm1d(64)
        self.gru, self.output = nn.GRU(64, 64, bidirectional=True, batch_first=True), nn.Linear(128, letters)

    def forward(self, x):
        steps = self.norm(self.convolution(x.transpose(1, 2))).relu().transpose(1, 2)
        return self.output(self.gru(steps)[0])


def errors(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y)))
    return row[-1]


def transcription(seed):
    draw = random.Random(seed)
    torch.manual_seed(seed)
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    letters = "_ efghinorstuvwxz"
    people = draw.sample(voices, 68)
    texts = set()
    while len(texts) < 900:
        texts.add(" ".join(draw.choices(digits, k=draw.randint(3, 5))))
    texts = sorted(texts, key=lambda _: draw.random())
    say = lambda text, who: spectrum(
        speak(text, draw.choice(who), draw.choice(["en-us", "en-gb", "en-gb-x-rp", "en-029"]), draw.randint(140, 190), draw.randint(20, 80)), 61440
    )
    test, train = texts[:150], texts[150:]
    x = torch.tensor(np.stack([say(text, people[:48]) for text in train]))
    seen = torch.tensor(np.stack([say(text, people[48:]) for text in test]))
    codes = [torch.tensor([letters.index(letter) for letter in text]) for text in train]
    model, epochs, size = Writer(len(letters)), 20, 16
    steps = epochs * -(-len(train) // size)
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-5)
    for _ in range(epochs):
        for rows in torch.randperm(len(train)).split(size):
            logs = model(x[rows]).log_softmax(-1).transpose(0, 1)
            targets = [codes[row] for row in rows]
            loss = nn.functional.ctc_loss(
                logs, torch.cat(targets), torch.full((len(rows),), logs.shape[0]), torch.tensor([len(t) for t in targets])
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5)
            optimizer.step()
            schedule.step()
    called = model.eval()(seen).argmax(-1)
    said = ["".join(letters[c] for i, c in enumerate(row) if c and (i == 0 or c != row[i - 1])).strip() for row in called.tolist()]
    wrong = sum(errors(a.split(), b.split()) for a, b in zip(said, test))
    print("transcription: words right", round(1 - wrong / sum(len(text.split()) for text in test), 4))


seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
for task in (keywords, transcription):
    for seed in seeds:
        task(seed)
